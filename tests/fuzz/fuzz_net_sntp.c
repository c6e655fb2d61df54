/* Answers of time servers. */
#include "net/sntp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        int64_t ahead_ns;

        (void)net_sntp_parse(data, size, 42, 1700000000000000000, 1700000001000000000, &ahead_ns);
        return 0;
}
