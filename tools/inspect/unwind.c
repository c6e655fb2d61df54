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
        uint64_t more_at; /* what else was read of the stack that is being walked */
        size_t more_count;
        char more[512];
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

struct walk {
        struct unwinder *unwinder;
        const struct stack_window *window;
        struct inspect_registers at;
        uint64_t sp; /* where it began */
        struct stack_trail *trail;
        struct stack_word fp;   /* where the frame pointer was read, ... */
        bool fp_read, fp_noted; /* ... if it was, and whether the trail has that */
};

/* From *address* on, as much as its page has: whoever needs a word of a stack will need others. */
static bool read_more(struct walk *walk, uint64_t address)
{
        struct unwinder *unwinder = walk->unwinder;
        size_t most = 4096 - (size_t)(address % 4096);

        if (walk->window->whole)
                return false;
        unwinder->more_at = address;
        unwinder->more_count = most < sizeof unwinder->more ? most : sizeof unwinder->more;
        if (inspect_read(unwinder->memory, address, unwinder->more, unwinder->more_count))
                return true;
        unwinder->more_count = sizeof(uint64_t);
        if (inspect_read(unwinder->memory, address, unwinder->more, unwinder->more_count))
                return true;
        unwinder->more_count = 0;
        return false;
}

static bool read_word(struct walk *walk, uint64_t address, uint64_t *ret)
{
        const struct stack_window *window = walk->window;
        const struct unwinder *unwinder = walk->unwinder;
        const uint64_t end = address + sizeof *ret;

        if (end < address)
                return false;
        if (end - walk->sp > walk->trail->reach)
                walk->trail->reach = (size_t)(end - walk->sp);
        if (address >= window->address && end - window->address <= window->count) {
                memcpy(ret, window->bytes + (address - window->address), sizeof *ret);
                return true;
        }
        if ((address < unwinder->more_at || end - unwinder->more_at > unwinder->more_count) &&
            !read_more(walk, address))
                return false;
        memcpy(ret, unwinder->more + (address - unwinder->more_at), sizeof *ret);
        return true;
}

static void note(struct walk *walk, uint64_t address, bool is_fp, uint64_t value)
{
        struct stack_trail *trail = walk->trail;

        if (address < walk->sp || address - walk->sp > UINT32_MAX || trail->count == TRAIL_MOST)
                trail->complete = false;
        else
                trail->words[trail->count++] = (struct stack_word){.at = (uint32_t)(address - walk->sp),
                                                                   .is_fp = is_fp,
                                                                   .value = is_fp ? value - walk->sp : value};
}

/* The frame pointer is about to be used. */
static void note_fp(struct walk *walk)
{
        if (walk->fp_read && !walk->fp_noted)
                note(walk, walk->sp + walk->fp.at, true, walk->at.fp);
        if (!walk->fp_read) {
                walk->trail->fp_counts = true;
                walk->trail->fp = walk->at.fp - walk->sp;
        }
        walk->fp_noted = true;
}

static bool read_return(struct walk *walk, uint64_t address, uint64_t *ret)
{
        if (!read_word(walk, address, ret)) {
                walk->trail->complete = false;
                return false;
        }
        note(walk, address, false, *ret);
        return true;
}

static bool read_fp(struct walk *walk, uint64_t address, struct inspect_registers *caller)
{
        if (!read_word(walk, address, &caller->fp) || address < walk->sp || address - walk->sp > UINT32_MAX) {
                walk->trail->complete = false;
                return false;
        }
        caller->has_fp = true;
        walk->fp.at = (uint32_t)(address - walk->sp);
        walk->fp_read = true;
        walk->fp_noted = false;
        return true;
}

/* From the frame that it stands in to its caller; false: that was the outermost, or it cannot be told. */
static bool step(struct walk *walk, const struct rule *rule)
{
        const struct inspect_registers *at = &walk->at;
        struct inspect_registers caller = {.has_fp = at->has_fp, .fp = at->fp};
        bool by_fp = rule->how == HOW_CHAIN || rule->cfa_from_fp;
        uint64_t cfa = (rule->cfa_from_fp ? at->fp : at->sp) + (uint64_t)(int64_t)rule->cfa_offset;

        if (rule->how == HOW_END || (by_fp && !at->has_fp))
                return false;
        if (by_fp)
                note_fp(walk);
        if (rule->how == HOW_CHAIN) {
                cfa = at->fp + 16;
                if (!read_return(walk, at->fp + 8, &caller.pc) || !read_fp(walk, at->fp, &caller))
                        return false;
        } else {
                if (!read_return(walk, cfa + (uint64_t)(int64_t)rule->return_at, &caller.pc))
                        return false;
                if (rule->fp_at && !read_fp(walk, cfa + (uint64_t)(int64_t)rule->fp_at, &caller))
                        return false;
        }
        caller.sp = cfa;
        if (cfa <= at->sp || caller.pc == 0) /* a stack grows downwards: anything else is damage */
                return false;
        walk->at = caller;
        return true;
}

size_t unwind(struct unwinder *unwinder, const struct inspect_registers *from, const struct stack_window *window,
              uint64_t *ret, size_t most, struct stack_trail *ret_trail)
{
        struct walk walk = {.unwinder = unwinder, .window = window, .at = *from, .sp = from->sp, .trail = ret_trail};
        size_t count = 0;

        ret_trail->pc = from->pc;
        ret_trail->fp_counts = false;
        ret_trail->complete = from->has_fp && from->pc;
        ret_trail->reach = 0;
        ret_trail->count = 0;
        unwinder->more_count = 0;
        while (count < most && walk.at.pc) {
                const struct rule *rule = rule_for(unwinder, count ? walk.at.pc - 1 : walk.at.pc);

                ret[count++] = walk.at.pc;
                if (!rule)
                        ret_trail->complete = false;
                if (!rule || !step(&walk, rule))
                        break;
        }
        return count;
}

bool stack_trail_fits(const struct stack_trail *trail, const struct inspect_registers *at,
                      const struct stack_window *window)
{
        uint64_t before = at->sp - window->address;

        if (!trail->complete || at->pc != trail->pc || !at->has_fp ||
            (trail->fp_counts && at->fp - at->sp != trail->fp) || at->sp < window->address || before > window->count ||
            trail->reach > window->count - before)
                return false;
        for (size_t i = 0; i < trail->count; i++) {
                const struct stack_word *word = &trail->words[i];
                uint64_t value;

                memcpy(&value, window->bytes + before + word->at, sizeof value);
                if ((word->is_fp ? value - at->sp : value) != word->value)
                        return false;
        }
        return true;
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
