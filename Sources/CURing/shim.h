/* Before liburing.h, which asks for _XOPEN_SOURCE: what glibc declares must not depend on who is first. */
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sched.h>
#include <time.h>
#include <liburing.h>
