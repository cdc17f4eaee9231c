// SPDX-License-Identifier: Apache-2.0
#include "base/base.h"

bool km_copy(char *dst, size_t size, const char *src)
{
	size_t len = strnlen(src, size);
	bool fits = len < size;

	if (size == 0)
		return false;
	if (!fits)
		len = size - 1;
	memmove(dst, src, len);
	dst[len] = '\0';
	return fits;
}
