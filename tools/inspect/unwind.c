/*
 * Stacks of suspended tasks. How to get from one frame to its caller depends on the address alone, so it is worked out
 * once for each address and remembered: a million stacks have some hundred different ones.
 */
#include "inspect/unwind.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__
enum { REG_FP = 6, REG_SP = 7, REG_RETURN = 16 };
#else
enum { REG_FP = 29, REG_SP = 31, REG_RETURN = 30 };
#endif

enum how {
        HOW_TABLE, /* by the unwind table */
        HOW_CHAIN, /* along the frame pointers */
        HOW_END,   /* there is no caller */
};

/* From a frame to its caller. */
struct rule {
        uint64_t pc; /* 0: free */
        int32_t cfa_offset;
        int32_t return_at; /* from the CFA */
        int32_t fp_at;     /* from the CFA; 0: fp is the caller's */
        uint8_t how;
        bool cfa_from_fp;
};

struct unwinder {
        struct inspect_memory *memory;
        Dwfl *dwfl; /* NULL: the files are not to be had */
        Elf *core;
        struct rule *rules; /* a hash table */
        size_t n_rules, rules_room;
};

static char *debug_path; /* NULL: where the distribution has it */

static const Dwfl_Callbacks process_callbacks = {
        .find_elf = dwfl_linux_proc_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .debuginfo_path = &debug_path,
};

static const Dwfl_Callbacks core_callbacks = {
        .find_elf = dwfl_build_id_find_elf,
        .find_debuginfo = dwfl_standard_find_debuginfo,
        .debuginfo_path = &debug_path,
};

static void open_process(struct unwinder *unwinder)
{
        unwinder->dwfl = dwfl_begin(&process_callbacks);
        if (unwinder->dwfl)
                dwfl_linux_proc_report(unwinder->dwfl, unwinder->memory->pid);
}

static void open_core(struct unwinder *unwinder)
{
        elf_version(EV_CURRENT);
        unwinder->core = elf_begin(inspect_core_fd(unwinder->memory), ELF_C_READ_MMAP, NULL);
        unwinder->dwfl = unwinder->core ? dwfl_begin(&core_callbacks) : NULL;
        if (unwinder->dwfl)
                dwfl_core_file_report(unwinder->dwfl, unwinder->core, NULL);
}

struct unwinder *unwinder_new(struct inspect_memory *memory)
{
        struct unwinder *unwinder = calloc(1, sizeof *unwinder);

        if (!unwinder)
                return NULL;
        unsetenv("DEBUGINFOD_URLS"); /* nothing is fetched from anywhere */
        unwinder->memory = memory;
        if (memory->live)
                open_process(unwinder);
        else
                open_core(unwinder);
        if (unwinder->dwfl)
                dwfl_report_end(unwinder->dwfl, NULL, NULL);
        return unwinder;
}

void unwinder_free(struct unwinder *unwinder)
{
        if (!unwinder)
                return;
        if (unwinder->dwfl)
                dwfl_end(unwinder->dwfl);
        if (unwinder->core)
                elf_end(unwinder->core);
        free(unwinder->rules);
        free(unwinder);
}

/* --- rules --- */

/* The CFA as a register and an offset; false: it is something else. */
static bool simple_cfa(Dwarf_Frame *frame, struct rule *rule)
{
        Dwarf_Op *ops;
        size_t count;

        if (dwarf_frame_cfa(frame, &ops, &count) != 0 || count != 1)
                return false;
        unsigned reg = ops[0].atom == DW_OP_bregx ? (unsigned)ops[0].number : (unsigned)ops[0].atom - DW_OP_breg0;
        Dwarf_Word offset = ops[0].atom == DW_OP_bregx ? ops[0].number2 : ops[0].number;
        if (ops[0].atom != DW_OP_bregx && (ops[0].atom < DW_OP_breg0 || ops[0].atom > DW_OP_breg31))
                return false;
        rule->cfa_from_fp = reg == REG_FP;
        rule->cfa_offset = (int32_t)offset;
        return reg == REG_FP || reg == REG_SP;
}

enum saved { SAVED_AT, SAVED_SAME, SAVED_UNDEFINED, SAVED_OTHERWISE };

/* Where the caller's value of a register is. */
static enum saved saved_register(Dwarf_Frame *frame, int reg, int32_t *ret_at)
{
        Dwarf_Op memory[3];
        Dwarf_Op *ops;
        size_t count;

        if (dwarf_frame_register(frame, reg, memory, &ops, &count) != 0)
                return SAVED_OTHERWISE;
        if (count == 0)
                return ops ? SAVED_UNDEFINED : SAVED_SAME;
        if (ops[0].atom != DW_OP_call_frame_cfa || count > 2 || (count == 2 && ops[1].atom != DW_OP_plus_uconst))
                return SAVED_OTHERWISE;
        *ret_at = count == 2 ? (int32_t)ops[1].number : 0;
        return SAVED_AT;
}

static Dwarf_Frame *find_frame(struct unwinder *unwinder, uint64_t pc)
{
        Dwfl_Module *module = unwinder->dwfl ? dwfl_addrmodule(unwinder->dwfl, pc) : NULL;
        Dwarf_Frame *frame = NULL;
        Dwarf_Addr bias = 0;

        if (!module)
                return NULL;
        Dwarf_CFI *table = dwfl_module_eh_cfi(module, &bias);
        if (table && dwarf_cfi_addrframe(table, pc - bias, &frame) == 0)
                return frame;
        table = dwfl_module_dwarf_cfi(module, &bias);
        if (table && dwarf_cfi_addrframe(table, pc - bias, &frame) == 0)
                return frame;
        return NULL;
}

static void work_out(struct unwinder *unwinder, uint64_t pc, struct rule *rule)
{
        Dwarf_Frame *frame = find_frame(unwinder, pc);

        rule->how = HOW_CHAIN;
        if (!frame)
                return;
        enum saved caller = saved_register(frame, REG_RETURN, &rule->return_at);
        if (caller == SAVED_UNDEFINED)
                rule->how = HOW_END;
        else if (caller == SAVED_AT && simple_cfa(frame, rule))
                rule->how = HOW_TABLE;
        if (saved_register(frame, REG_FP, &rule->fp_at) != SAVED_AT)
                rule->fp_at = 0;
        free(frame);
}

static bool grow_rules(struct unwinder *unwinder)
{
        size_t room = unwinder->rules_room ? unwinder->rules_room * 2 : 1024;
        struct rule *rules = calloc(room, sizeof *rules);

        if (!rules)
                return false;
        for (size_t i = 0; i < unwinder->rules_room; i++) {
                size_t at = unwinder->rules[i].pc * 0x9E3779B97F4A7C15ULL & (room - 1);

                if (!unwinder->rules[i].pc)
                        continue;
                while (rules[at].pc)
                        at = (at + 1) & (room - 1);
                rules[at] = unwinder->rules[i];
        }
        free(unwinder->rules);
        unwinder->rules = rules;
        unwinder->rules_room = room;
        return true;
}

/* NULL: no memory. *pc* is not 0. */
static const struct rule *rule_for(struct unwinder *unwinder, uint64_t pc)
{
        if (unwinder->n_rules * 2 >= unwinder->rules_room && !grow_rules(unwinder))
                return NULL;
        size_t at = pc * 0x9E3779B97F4A7C15ULL & (unwinder->rules_room - 1);
        while (unwinder->rules[at].pc && unwinder->rules[at].pc != pc)
                at = (at + 1) & (unwinder->rules_room - 1);
        struct rule *rule = &unwinder->rules[at];
        if (!rule->pc) {
                work_out(unwinder, pc, rule);
                rule->pc = pc;
                unwinder->n_rules++;
        }
        return rule;
}

/* --- walking --- */

static bool read_word(struct unwinder *unwinder, const struct stack_window *window, uint64_t address, uint64_t *ret)
{
        if (address >= window->address && address - window->address + sizeof *ret <= window->count) {
                memcpy(ret, window->bytes + (address - window->address), sizeof *ret);
                return true;
        }
        return !window->whole && inspect_read(unwinder->memory, address, ret, sizeof *ret);
}

/* From the frame *at* to its caller; false: that was the outermost, or it cannot be told. */
static bool step(struct unwinder *unwinder, const struct stack_window *window, const struct rule *rule,
                 struct inspect_registers *at)
{
        struct inspect_registers caller = {.has_fp = at->has_fp, .fp = at->fp};
        uint64_t cfa = (rule->cfa_from_fp ? at->fp : at->sp) + (uint64_t)(int64_t)rule->cfa_offset;

        if (rule->how == HOW_END || ((rule->how == HOW_CHAIN || rule->cfa_from_fp) && !at->has_fp))
                return false;
        if (rule->how == HOW_CHAIN) {
                cfa = at->fp + 16;
                if (!read_word(unwinder, window, at->fp, &caller.fp) ||
                    !read_word(unwinder, window, at->fp + 8, &caller.pc))
                        return false;
        } else {
                if (!read_word(unwinder, window, cfa + (uint64_t)(int64_t)rule->return_at, &caller.pc))
                        return false;
                if (rule->fp_at) {
                        if (!read_word(unwinder, window, cfa + (uint64_t)(int64_t)rule->fp_at, &caller.fp))
                                return false;
                        caller.has_fp = true;
                }
        }
        caller.sp = cfa;
        if (cfa <= at->sp || caller.pc == 0) /* a stack grows downwards: anything else is damage */
                return false;
        *at = caller;
        return true;
}

size_t unwind(struct unwinder *unwinder, const struct inspect_registers *from, const struct stack_window *window,
              uint64_t *ret, size_t most)
{
        struct inspect_registers at = *from;
        size_t count = 0;

        while (count < most && at.pc) {
                const struct rule *rule = rule_for(unwinder, count ? at.pc - 1 : at.pc);

                ret[count++] = at.pc;
                if (!rule || !step(unwinder, window, rule, &at))
                        break;
        }
        return count;
}

/* --- names --- */

const char *unwinder_symbol(struct unwinder *unwinder, uint64_t address, uint64_t *ret_offset)
{
        Dwfl_Module *module = unwinder->dwfl ? dwfl_addrmodule(unwinder->dwfl, address) : NULL;
        GElf_Off offset = 0;
        GElf_Sym symbol;

        if (!module)
                return NULL;
        const char *name = dwfl_module_addrinfo(module, address, &offset, &symbol, NULL, NULL, NULL);
        *ret_offset = offset;
        return name;
}

void unwinder_place(struct unwinder *unwinder, uint64_t address, bool is_return, struct place *ret)
{
        uint64_t at = is_return ? address - 1 : address;
        Dwfl_Module *module = unwinder->dwfl ? dwfl_addrmodule(unwinder->dwfl, at) : NULL;

        *ret = (struct place){0};
        if (!module)
                return;
        ret->object = dwfl_module_info(module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        ret->function = unwinder_symbol(unwinder, at, &ret->offset);
        if (ret->function && is_return)
                ret->offset++;
        Dwfl_Line *line = dwfl_module_getsrc(module, at);
        if (line)
                ret->file = dwfl_lineinfo(line, NULL, &ret->line, NULL, NULL, NULL);
        const char *slash = ret->file ? strrchr(ret->file, '/') : NULL;
        if (slash)
                ret->file = slash + 1;
}
