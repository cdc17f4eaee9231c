/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer with a maximum. A failed append sets a sticky error that km_buf_error()
 * returns, so that a caller checks once at the end. */
#ifndef KM_BUF_H
#define KM_BUF_H

#include "base/base.h"

struct km_buf {
	char *data; /* NUL behind the last byte whenever len > 0 or after km_buf_text() */
	size_t len;
	size_t size;
	size_t max;
	int error;
};

/* Never more than MAX bytes. *RET is the caller's. */
int km_buf_new(size_t max, struct km_buf **ret);
struct km_buf *km_buf_free(struct km_buf *b);
KM_DEFINE_FREEP(struct km_buf, km_buf_free)

void km_buf_add(struct km_buf *b, const void *data, size_t len);
void km_buf_addf(struct km_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Drops the content and the sticky error, keeps the memory. */
void km_buf_reset(struct km_buf *b);
/* Drops the first N bytes. */
void km_buf_eat(struct km_buf *b, size_t n);
/* NUL-terminated content, "" if empty; the buffer's. */
const char *km_buf_text(struct km_buf *b);
/* 0, or -ENOMEM / -E2BIG from the first append that failed. */
int km_buf_error(const struct km_buf *b);

#endif
