/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by nettle: OpenSSL, only linked, would cost each of our processes 300 KiB. */
#ifndef KM_SHA256_H
#define KM_SHA256_H

#include "base/base.h"

#define KM_SHA256_SIZE 32

struct km_span {
	const void *data;
	size_t len;
};

/* Digest of COUNT pieces one after the other. */
void km_sha256(const struct km_span *pieces, size_t count, uint8_t ret[KM_SHA256_SIZE]);

#endif
