/*
 * The demonstration's site: an HTTP server on the loopback interface whose every answer takes LATENCY_MS.
 */
#ifndef DEMO_SITE_H
#define DEMO_SITE_H

/* Serves until standard input ends; prints its port, which the system chooses, when it listens. Returns an exit code.
 */
int site_serve(void);

#endif
