/* The errno of the thread that asks now. The call keeps compilers from remembering its address across a suspension. */
#include "plait/errno.h"

#undef errno
#include <errno.h>

#include "base/attributes.h"

PL_NOINLINE int *plait_errno_location(void)
{
        return __errno_location();
}
