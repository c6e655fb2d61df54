/* The library's version, for programs that were built against other headers. */
#include "plait/base.h"

const char *plait_version(void)
{
        return PLAIT_VERSION;
}
