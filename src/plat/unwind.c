/*
 * Unwinding. For each frame: find the function's description (the sorted table in .eh_frame_hdr, found by
 * _dl_find_object()), run its instructions up to the address, and compute from the result where the caller's frame and
 * return address are. Only what this takes is kept: the rule for the canonical frame address, and those for the return
 * address and the frame pointer. What is not understood (expressions, as in signal frames and the PLT) ends the walk.
 *
 * The format is that of the DWARF standard, chapter 6.4, as the Linux Standard Base changes it for .eh_frame.
 */
#include "plat/unwind.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include "plat/sanitizer.h"
#include "plat/sys.h"

#if defined(__x86_64__)
enum { REG_FP = 6, REG_SP = 7, REG_RA = 16 };
#else
enum { REG_FP = 29, REG_SP = 31, REG_RA = 30 };
#endif

enum { REMEMBERED = 4 };

enum place_kind { SAME, AT_CFA, LOST };

/* Where a register of the caller is. */
struct place {
        enum place_kind kind;
        int64_t offset;
};

struct row {
        uint64_t cfa_reg;
        int64_t cfa_offset;
        struct place fp, ra;
};

struct cursor {
        const uint8_t *p, *end;
        bool bad;
};

struct function {
        uintptr_t start;
        struct cursor cie_program, fde_program;
        uint64_t code_align;
        int64_t data_align;
        uint8_t pointer_encoding;
        bool sized; /* augmentation data have a length */
};

static uint64_t fixed(struct cursor *c, unsigned bytes)
{
        uint64_t value = 0;

        if ((size_t)(c->end - c->p) < bytes) {
                c->bad = true;
                return 0;
        }
        memcpy(&value, c->p, bytes); /* both processors are little-endian */
        c->p += bytes;
        return value;
}

static uint64_t uleb(struct cursor *c)
{
        uint64_t value = 0;

        for (unsigned shift = 0; shift < 64; shift += 7) {
                uint64_t byte = fixed(c, 1);

                value |= (byte & 0x7f) << shift;
                if (!(byte & 0x80))
                        return value;
        }
        c->bad = true;
        return 0;
}

static int64_t sleb(struct cursor *c)
{
        uint64_t value = 0;

        for (unsigned shift = 0; shift < 64; shift += 7) {
                uint64_t byte = fixed(c, 1);

                value |= (byte & 0x7f) << shift;
                if (!(byte & 0x80))
                        return (int64_t)(byte & 0x40 && shift + 7 < 64 ? value | ~(uint64_t)0 << (shift + 7) : value);
        }
        c->bad = true;
        return 0;
}

static void skip(struct cursor *c, uint64_t bytes)
{
        if (bytes > (uint64_t)(c->end - c->p))
                c->bad = true;
        else
                c->p += bytes;
}

/* How long a pointer in that encoding is; 0: not understood. */
static unsigned pointer_bytes(uint8_t encoding)
{
        switch (encoding & 0x0f) {
        case 0x0:
        case 0x4:
        case 0xc: return 8;
        case 0x3:
        case 0xb: return 4;
        case 0x2:
        case 0xa: return 2;
        default: return 0;
        }
}

static struct cursor record_at(const uint8_t *p)
{
        uint32_t bytes;

        memcpy(&bytes, p, sizeof bytes);
        return bytes && bytes != UINT32_MAX ? (struct cursor){p + 4, p + 4 + bytes, false}
                                            : (struct cursor){p, p, true};
}

/* The common part: alignment factors, how pointers are encoded, the first instructions. */
static bool read_cie(const uint8_t *p, struct function *f)
{
        struct cursor c = record_at(p);
        const char *augmentation = (const char *)c.p + 5;

        if (c.bad)
                return false;
        skip(&c, 5 + strlen(augmentation) + 1);
        f->code_align = uleb(&c);
        f->data_align = sleb(&c);
        (void)uleb(&c); /* the register of the return address */
        f->pointer_encoding = 0;
        f->sized = *augmentation == 'z';
        if (*augmentation && !f->sized)
                return false;
        struct cursor data = c;
        if (f->sized) {
                uint64_t bytes = uleb(&c);

                data = c;
                skip(&c, bytes);
        }
        for (const char *a = augmentation + (f->sized ? 1 : 0); *a; a++) {
                if (*a == 'R')
                        f->pointer_encoding = (uint8_t)fixed(&data, 1);
                else if (*a == 'L')
                        (void)fixed(&data, 1);
                else if (*a == 'P')
                        skip(&data, pointer_bytes((uint8_t)fixed(&data, 1)));
                else if (*a != 'B' && *a != 'G')
                        return false; /* 'S', a signal's frame, too */
        }
        f->cie_program = c;
        return !c.bad && !data.bad;
}

static bool read_fde(const uint8_t *p, uintptr_t pc, struct function *f)
{
        struct cursor c = record_at(p);
        uint32_t back;

        if (c.bad)
                return false;
        memcpy(&back, c.p, sizeof back);
        if (!back || !read_cie(c.p - back, f))
                return false;
        skip(&c, 4);
        unsigned bytes = pointer_bytes(f->pointer_encoding);
        if (!bytes)
                return false;
        skip(&c, bytes);
        if (pc - f->start >= fixed(&c, bytes))
                return false;
        if (f->sized) {
                uint64_t more = uleb(&c);

                skip(&c, more);
        }
        f->fde_program = c;
        return !c.bad;
}

static bool find_function(uintptr_t pc, struct function *f)
{
        struct dl_find_object object;
        struct entry {
                int32_t start, fde;
        } entry;

        if (_dl_find_object((void *)pc, &object) != 0 || !object.dlfo_eh_frame)
                return false;
        const uint8_t *header = object.dlfo_eh_frame;
        uint32_t n;
        if (header[0] != 1 || header[2] != 0x03 || header[3] != 0x3b || pointer_bytes(header[1]) != 4)
                return false;
        memcpy(&n, header + 8, sizeof n);
        /* The last entry that starts at or before pc. */
        uint32_t low = 0, high = n;
        while (high - low > 1) {
                uint32_t middle = low + (high - low) / 2;

                memcpy(&entry, header + 12 + middle * sizeof entry, sizeof entry);
                if ((uintptr_t)header + (uintptr_t)(intptr_t)entry.start <= pc)
                        low = middle;
                else
                        high = middle;
        }
        if (!n)
                return false;
        memcpy(&entry, header + 12 + low * sizeof entry, sizeof entry);
        f->start = (uintptr_t)header + (uintptr_t)(intptr_t)entry.start;
        return pc >= f->start && read_fde(header + entry.fde, pc, f);
}

static void set_place(struct row *row, uint64_t reg, enum place_kind kind, int64_t offset)
{
        struct place place = {kind, offset};

        if (reg == REG_FP)
                row->fp = place;
        else if (reg == REG_RA)
                row->ra = place;
}

static void restore(struct row *row, const struct row *initial, uint64_t reg)
{
        if (reg == REG_FP)
                row->fp = initial->fp;
        else if (reg == REG_RA)
                row->ra = initial->ra;
}

struct machine {
        const struct function *f;
        struct row row, initial, remembered[REMEMBERED];
        unsigned n_remembered;
        uintptr_t at;
};

/* The instructions below 0x40. False: not understood. */
static bool extended(struct machine *m, struct cursor *c, uint8_t op)
{
        const struct function *f = m->f;
        uint64_t reg;

        switch (op) {
        case 0x00: /* nop */ return true;
        case 0x02: /* advance_loc1, 2, 4 */
        case 0x03:
        case 0x04: m->at += fixed(c, op == 0x02 ? 1 : op == 0x03 ? 2 : 4) * f->code_align; return true;
        case 0x05: /* offset_extended */
                reg = uleb(c);
                set_place(&m->row, reg, AT_CFA, (int64_t)uleb(c) * f->data_align);
                return true;
        case 0x11: /* offset_extended_sf */
                reg = uleb(c);
                set_place(&m->row, reg, AT_CFA, sleb(c) * f->data_align);
                return true;
        case 0x06: /* restore_extended */ restore(&m->row, &m->initial, uleb(c)); return true;
        case 0x07: /* undefined */ set_place(&m->row, uleb(c), LOST, 0); return true;
        case 0x08: /* same_value */ set_place(&m->row, uleb(c), SAME, 0); return true;
        case 0x09: /* register */
                set_place(&m->row, uleb(c), LOST, 0);
                (void)uleb(c);
                return true;
        case 0x0a: /* remember_state */
                if (m->n_remembered == REMEMBERED)
                        return false;
                m->remembered[m->n_remembered++] = m->row;
                return true;
        case 0x0b: /* restore_state */
                if (!m->n_remembered)
                        return false;
                m->row = m->remembered[--m->n_remembered];
                return true;
        case 0x0c: /* def_cfa */
                m->row.cfa_reg = uleb(c);
                m->row.cfa_offset = (int64_t)uleb(c);
                return true;
        case 0x12: /* def_cfa_sf */
                m->row.cfa_reg = uleb(c);
                m->row.cfa_offset = sleb(c) * f->data_align;
                return true;
        case 0x0d: /* def_cfa_register */ m->row.cfa_reg = uleb(c); return true;
        case 0x0e: /* def_cfa_offset */ m->row.cfa_offset = (int64_t)uleb(c); return true;
        case 0x13: /* def_cfa_offset_sf */ m->row.cfa_offset = sleb(c) * f->data_align; return true;
        case 0x10: /* expression, val_expression, val_offset: not the return address's, one hopes */
        case 0x16:
                set_place(&m->row, uleb(c), LOST, 0);
                skip(c, uleb(c));
                return true;
        case 0x14:
                set_place(&m->row, uleb(c), LOST, 0);
                (void)uleb(c);
                return true;
        case 0x2d: /* the return address is signed, or not any more: the signature is taken off in any case */
                return true;
        case 0x2e: /* GNU_args_size */ (void)uleb(c); return true;
        default: return false;
        }
}

/* Run the instructions up to *pc*. */
static bool execute(struct machine *m, struct cursor c, uintptr_t pc)
{
        while (c.p < c.end && !c.bad) {
                uint8_t op = *c.p++;
                uint8_t low = op & 0x3f;

                if (op >> 6 == 1)
                        m->at += low * m->f->code_align;
                else if (op >> 6 == 2)
                        set_place(&m->row, low, AT_CFA, (int64_t)uleb(&c) * m->f->data_align);
                else if (op >> 6 == 3)
                        restore(&m->row, &m->initial, low);
                else if (!extended(m, &c, op))
                        return false;
                if (m->at > pc)
                        return true;
        }
        return !c.bad;
}

static bool find_row(uintptr_t pc, struct row *ret)
{
        struct function f;

        if (!find_function(pc, &f))
                return false;
        struct machine m = {.f = &f, .at = f.start};
        if (!execute(&m, f.cie_program, UINTPTR_MAX))
                return false;
        m.initial = m.row;
        if (!execute(&m, f.fde_program, pc))
                return false;
        *ret = m.row;
        return true;
}

static bool fetch(uintptr_t address, bool stable, uintptr_t *ret)
{
        if (address & 7)
                return false;
        if (!stable || PL_WITH_SANITIZER)
                return pl_plat_peek(ret, (const void *)address, sizeof *ret) == 0;
        memcpy(ret, (const void *)address, sizeof *ret);
        return true;
}

/* From a frame to its caller's. */
static bool step(struct pl_context *frame, bool first, bool stable)
{
        uintptr_t pc = (uintptr_t)frame->pc - (first ? 0 : 1); /* a call may be a function's last instruction */
        uintptr_t fp = (uintptr_t)frame->fp, cfa, ra;
        struct row row;

        if (!find_row(pc, &row) || row.ra.kind != AT_CFA)
                return false;
        if (row.cfa_reg == REG_SP)
                cfa = (uintptr_t)frame->sp;
        else if (row.cfa_reg == REG_FP)
                cfa = fp;
        else
                return false;
        cfa += (uintptr_t)row.cfa_offset;
        if (cfa <= (uintptr_t)frame->sp || !fetch(cfa + (uintptr_t)row.ra.offset, stable, &ra))
                return false;
        if (row.fp.kind == AT_CFA && !fetch(cfa + (uintptr_t)row.fp.offset, stable, &fp))
                return false;
        frame->sp = (void *)cfa;
        frame->fp = (void *)fp;
        frame->pc = (void *)(ra & 0x0000ffffffffffff); /* without a signature */
        return frame->pc != NULL;
}

unsigned pl_plat_unwind(const struct pl_context *from, bool stable, void **ret, unsigned most)
{
        struct pl_context frame = *from;
        unsigned n = 0;

        while (n < most) {
                ret[n++] = frame.pc;
                if (!step(&frame, n == 1, stable))
                        break;
        }
        return n;
}

void pl_plat_interrupted(const void *context, struct pl_context *ret)
{
        const mcontext_t *machine = &((const ucontext_t *)context)->uc_mcontext;
        struct dl_find_object object;
        void *back = NULL;

#if defined(__x86_64__)
        *ret = (struct pl_context){.sp = (void *)machine->gregs[REG_RSP],
                                   .fp = (void *)machine->gregs[REG_RBP],
                                   .pc = (void *)machine->gregs[REG_RIP]};
        if (_dl_find_object(ret->pc, &object) != 0 && pl_plat_peek(&back, ret->sp, sizeof back) == 0 && back) {
                ret->pc = back;
                ret->sp = (char *)ret->sp + sizeof back;
        }
#else
        *ret = (struct pl_context){
                .sp = (void *)machine->sp, .fp = (void *)machine->regs[29], .pc = (void *)machine->pc};
        back = (void *)machine->regs[30];
        if (_dl_find_object(ret->pc, &object) != 0 && back)
                ret->pc = back;
#endif
}

static const char *base_name(const char *path)
{
        const char *slash = strrchr(path, '/');

        return slash ? slash + 1 : path;
}

/* *address* as a place in its object; *before* is where to look for the symbol. */
static void describe(const char *address, const char *before, char *buf, size_t n)
{
        Dl_info info;

        if (!dladdr(before, &info) || !info.dli_fname) {
                snprintf(buf, n, "%p", (const void *)address);
                return;
        }
        const char *object = base_name(info.dli_fname);
        size_t in_object = (size_t)(address - (const char *)info.dli_fbase);
        size_t in_symbol = info.dli_sname ? (size_t)(address - (const char *)info.dli_saddr) : 0;
        if (in_symbol)
                snprintf(buf, n, "%s+0x%zx (%s+0x%zx)", info.dli_sname, in_symbol, object, in_object);
        else if (info.dli_sname)
                snprintf(buf, n, "%s (%s+0x%zx)", info.dli_sname, object, in_object);
        else
                snprintf(buf, n, "%s+0x%zx", object, in_object);
}

void pl_plat_describe_code(const void *address, char *buf, size_t n)
{
        describe(address, (const char *)address - 1, buf, n);
}

void pl_plat_describe_data(const void *address, char *buf, size_t n)
{
        describe(address, address, buf, n);
}

static const void *object_of(const void *address)
{
        struct dl_find_object object;

        return _dl_find_object((void *)(uintptr_t)address, &object) == 0 ? object.dlfo_link_map : NULL;
}

bool pl_plat_same_object(const void *a, const void *b)
{
        return object_of(a) == object_of(b);
}

bool pl_plat_is_static(const void *address)
{
        return object_of(address) != NULL;
}
