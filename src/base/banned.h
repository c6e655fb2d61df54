/*
 * Functions that plait's own code does not use. This header is included by force (-include) before everything else in
 * src/ and tools/; a use of one of these is an error of the compiler, whether it is called or its address is taken.
 * The types are spelt out, so that no system header comes in by the back door.
 */
#ifndef PL_BASE_BANNED_H
#define PL_BASE_BANNED_H

#ifndef __ASSEMBLER__

#define PL_BANNED(why) __attribute__((unavailable(why)))

struct tm;
struct hostent;

/* No bound on what is written. */
char *strcpy(char *restrict, const char *restrict) PL_BANNED("no bound: use snprintf or memcpy");
char *stpcpy(char *restrict, const char *restrict) PL_BANNED("no bound: use snprintf or memcpy");
char *strcat(char *restrict, const char *restrict) PL_BANNED("no bound: use snprintf or memcpy");
int sprintf(char *restrict, const char *restrict, ...) PL_BANNED("no bound: use snprintf");
int vsprintf(char *restrict, const char *restrict, __builtin_va_list) PL_BANNED("no bound: use vsnprintf");
char *gets(char *) PL_BANNED("no bound: use getline");

/* The result may lack its NUL, or a cut goes unseen. */
char *strncpy(char *restrict, const char *restrict, __SIZE_TYPE__)
        PL_BANNED("may lack the NUL: use memcpy or snprintf");
char *strncat(char *restrict, const char *restrict, __SIZE_TYPE__) PL_BANNED("cuts in silence: use snprintf");

/* No report of bad input. */
int atoi(const char *) PL_BANNED("reports no error: use strtol");
long atol(const char *) PL_BANNED("reports no error: use strtol");
long long atoll(const char *) PL_BANNED("reports no error: use strtoll");
double atof(const char *) PL_BANNED("reports no error: use strtod");

/* One static buffer or state for all threads. */
char *strtok(char *restrict, const char *restrict) PL_BANNED("shared state: use strtok_r or strcspn");
struct tm *localtime(const long *) PL_BANNED("shared buffer: use localtime_r");
struct tm *gmtime(const long *) PL_BANNED("shared buffer: use gmtime_r");
char *ctime(const long *) PL_BANNED("shared buffer: use strftime");
char *asctime(const struct tm *) PL_BANNED("shared buffer: use strftime");
int rand(void) PL_BANNED("shared state: use a generator with a printed seed");
void srand(unsigned int) PL_BANNED("shared state: use a generator with a printed seed");
struct hostent *gethostbyname(const char *) PL_BANNED("shared buffer: use getaddrinfo");
struct hostent *gethostbyaddr(const void *, unsigned int, int) PL_BANNED("shared buffer: use getnameinfo");

/* A name that another process can take in between. */
char *tmpnam(char *) PL_BANNED("race: use mkostemp or memfd_create");
char *tempnam(const char *, const char *) PL_BANNED("race: use mkostemp or memfd_create");
char *mktemp(char *) PL_BANNED("race: use mkostemp or memfd_create");

/* Holds up a worker. */
unsigned int sleep(unsigned int) PL_BANNED("blocks the worker: use plait_sleep or a deadline");
int usleep(unsigned int) PL_BANNED("blocks the worker: use plait_sleep or a deadline");

#endif /* __ASSEMBLER__ */
#endif
