/* The map from pairs of numbers to pointers: what was put in and not taken out is found, and nothing else. */
#include "common/id_map.h"
#include "harness/test.h"

enum { SPACES = 4, IDS = 500, STEPS = 100000 };

static uint64_t next_random(uint64_t *state)
{
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        return *state;
}

/* Numbers as they come: from 1 on, addresses, and anything. */
static uint64_t id_of(unsigned i)
{
        uint64_t anything = i + 1;

        return i % 3 == 0 ? i : i % 3 == 1 ? UINT64_C(0x7f0000000000) + 64 * i : next_random(&anything);
}

TEST(a_map_without_entries_has_nothing)
{
        struct pl_id_map map = {0};

        CHECK_PTR(pl_id_map_get(&map, 0, 0), ==, NULL);
        CHECK_PTR(pl_id_map_take(&map, 1, 2), ==, NULL);
        pl_id_map_done(&map);
}

TEST(what_is_put_in_and_not_taken_out_is_found)
{
        static char values[8];
        static char *kept[SPACES][IDS];
        struct pl_id_map map = {0};
        uint64_t random = 88172645463325252;
        size_t n = 0;

        for (int step = 0; step < STEPS; step++) {
                unsigned space = (unsigned)(next_random(&random) % SPACES), id = (unsigned)(next_random(&random) % IDS);
                char **at = &kept[space][id];

                if (next_random(&random) % 2) {
                        char *value = &values[next_random(&random) % sizeof values];

                        CHECK_INT(pl_id_map_put(&map, space, id_of(id), value), ==, 0);
                        n += !*at;
                        *at = value;
                } else {
                        CHECK_PTR(pl_id_map_take(&map, space, id_of(id)), ==, *at);
                        n -= *at != NULL;
                        *at = NULL;
                }
                CHECK_UINT(map.n, ==, n);
                space = (unsigned)(next_random(&random) % SPACES), id = (unsigned)(next_random(&random) % IDS);
                CHECK_PTR(pl_id_map_get(&map, space, id_of(id)), ==, kept[space][id]);
        }
        for (unsigned space = 0; space < SPACES; space++)
                for (unsigned id = 0; id < IDS; id++)
                        CHECK_PTR(pl_id_map_get(&map, space, id_of(id)), ==, kept[space][id]);
        pl_id_map_done(&map);
        CHECK_UINT(map.n, ==, 0);
}
