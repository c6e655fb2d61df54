/*
 * All probes, and what each file of them offers to the table in probes.c.
 */
#ifndef NET_PROBES_H
#define NET_PROBES_H

#include "net/probe.h"

#endif
