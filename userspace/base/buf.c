// SPDX-License-Identifier: Apache-2.0
#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"

/* First allocation: most answers and messages fit without a second one. */
#define BUF_FIRST 256

int km_buf_new(size_t max, struct km_buf **ret)
{
	struct km_buf *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->max = max;
	*ret = b;
	return 0;
}

struct km_buf *km_buf_free(struct km_buf *b)
{
	if (b)
		free(b->data);
	free(b);
	return NULL;
}

/* Room for MORE bytes and a terminator; false with the sticky error set. */
static bool reserve(struct km_buf *b, size_t more)
{
	size_t need, size;
	char *data;

	if (b->error)
		return false;
	if (more > b->max || b->len > b->max - more || b->max == SIZE_MAX) {
		b->error = -E2BIG;
		return false;
	}
	need = b->len + more + 1;
	if (need <= b->size)
		return true;
	size = b->size ? b->size : BUF_FIRST;
	while (size < need)
		size = size > SIZE_MAX / 2 ? need : size * 2;
	data = realloc(b->data, size);
	if (!data) {
		b->error = -ENOMEM;
		return false;
	}
	b->data = data;
	b->size = size;
	return true;
}

void km_buf_add(struct km_buf *b, const void *data, size_t len)
{
	if (!reserve(b, len))
		return;
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void km_buf_addf(struct km_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		if (!b->error)
			b->error = -EINVAL;
		return;
	}
	if (!reserve(b, n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += n;
}

void km_buf_reset(struct km_buf *b)
{
	b->len = 0;
	b->error = 0;
	if (b->data)
		b->data[0] = '\0';
}

void km_buf_eat(struct km_buf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}

const char *km_buf_text(struct km_buf *b)
{
	return b->len > 0 ? b->data : "";
}

int km_buf_error(const struct km_buf *b)
{
	return b->error;
}
