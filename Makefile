# A front for meson. `make help` lists what there is; CONTRIBUTING.md says more.

BUILD ?= build
PREFIX ?=

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.PHONY: all demo test bench soak lint format docs install clean help

all: $(BUILD)/build.ninja ## Build the library and the command into build/
	meson compile -C $(BUILD) product

demo: ## Install what is missing, build, and run `plait demo`
	scripts/install-deps build
	+$(MAKE) --no-print-directory all
	$(BUILD)/plait demo

test: ## Install what is missing, build, and run all tests
	scripts/install-deps build test
	+$(MAKE) --no-print-directory all
	scripts/run-tests $(BUILD)

bench: ## Build the benchmark programs into build/bench/
	scripts/install-deps build bench
	+$(MAKE) --no-print-directory all
	meson compile -C $(BUILD) bench-programs

soak: ## Run the long tests (minutes each)
	scripts/install-deps build test
	+$(MAKE) --no-print-directory all
	scripts/run-tests $(BUILD) --benchmark --suite soak

lint: ## Check format, banned constructs and the analysers' findings
	scripts/install-deps build lint
	+$(MAKE) --no-print-directory all
	scripts/lint $(BUILD)

format: ## Bring all C files into the form that `make lint` wants
	scripts/lint --fix-format

docs: ## Build the API documentation and the man pages into build/docs/
	scripts/install-deps build docs
	+$(MAKE) --no-print-directory all
	scripts/docs $(BUILD)

install: all ## Install (PREFIX=/usr/local, DESTDIR=)
	$(if $(PREFIX),meson configure $(BUILD) -Dprefix=$(PREFIX))
	$(if $(PREFIX),meson compile -C $(BUILD) product)
	meson install -C $(BUILD) --no-rebuild

clean: ## Remove build/
	rm -rf $(BUILD)

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo 'plait is built by meson, which is not here: run scripts/install-deps build' >&2; exit 1; }
	@echo 'meson setup $(BUILD)'; log=$$(meson setup $(BUILD) 2>&1) || { echo "$$log" >&2; exit 1; }
