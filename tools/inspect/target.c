/* The program that a command looks at (target.h). */
#include "inspect/target.h"

error_t target_parse(int key, char *arg, struct argp_state *state, const char **target)
{
        switch (key) {
        case ARGP_KEY_ARG:
                if (*target)
                        argp_error(state, "one target at a time, but there is '%s', too", arg);
                *target = arg;
                return 0;
        case ARGP_KEY_NO_ARGS:
                argp_error(state, "which program? Give the number of a process, or the name of a core file");
                return 0;
        default: return ARGP_ERR_UNKNOWN;
        }
}
