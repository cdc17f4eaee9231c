/* SPDX-License-Identifier: Apache-2.0 */
/* What every file may use: cleanup attributes, units, limits that several folders share. */
#ifndef KM_BASE_H
#define KM_BASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KM_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define KM_NS_PER_S      1000000000ULL
#define KM_NS_PER_MS     1000000ULL
#define KM_NS_PER_US     1000ULL

/* Names of services and rules, terminator included: the longest systemd unit name (255) fits. */
#define KM_NAME_MAX 256
/* Absolute paths in configuration, terminator included. */
#define KM_PATH_MAX 1024
/* One host: what one daemon follows. Past it a service is counted as not followed, never guessed.
 */
#define KM_SERVICES_MAX  2048
#define KM_PROCESSES_MAX 65536
#define KM_RULES_MAX     8192
/* "not measured" for a level or a limit. */
#define KM_UNKNOWN UINT64_MAX

/* km_autofree(km_buf_freep) struct km_buf *b = NULL;  calls km_buf_freep(&b) when b leaves scope.
 */
#define km_autofree(fn) __attribute__((cleanup(fn)))

/* Hands PTR over: evaluates to its value and leaves NULL behind. */
#define km_take(ptr)                             \
	({                                       \
		__typeof__(ptr) *km_p_ = &(ptr); \
		__typeof__(ptr) km_v_ = *km_p_;  \
		*km_p_ = NULL;                   \
		km_v_;                           \
	})

/* Defines FN##p for km_autofree from a destructor `type *FN(type *)`. */
#define KM_DEFINE_FREEP(type, fn)            \
	static inline void fn##p(type **ptr) \
	{                                    \
		*ptr = fn(*ptr);             \
	}

static inline void km_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void km_free_charp(char **p)
{
	free(*p);
	*p = NULL;
}

#define km_autofree_char km_autofree(km_free_charp)

/* km_autoclose int fd = -1; closes it when it leaves scope. */
#define km_autoclose km_autofree(km_close)

/* Hands FD over and leaves -1 behind. */
static inline int km_take_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

/* Always terminates; true if all of SRC fitted into DST of SIZE bytes. */
bool km_copy(char *dst, size_t size, const char *src);

#endif
