/* The page without its data: what is before the data and what is after. Made from web/ by web/bundle.py. */
#ifndef TRACE_PAGE_TEMPLATE_H
#define TRACE_PAGE_TEMPLATE_H

#include <stddef.h>

extern const unsigned char page_template_head[], page_template_tail[];
extern const size_t page_template_head_bytes, page_template_tail_bytes;

#endif
