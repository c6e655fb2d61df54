# A front for meson: see `make help`.
BUILD ?= build

.PHONY: all
all: $(BUILD)/build.ninja
	meson compile -C $(BUILD)

$(BUILD)/build.ninja:
	meson setup $(BUILD)

.PHONY: clean
clean:
	rm -rf $(BUILD)
