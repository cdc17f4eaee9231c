/* SPDX-License-Identifier: Apache-2.0 */
/* Layout of a trace file, little endian; shared by writer and reader only. */
#ifndef KM_TRACE_FORMAT_H
#define KM_TRACE_FORMAT_H

#include "base/base.h"

#define KM_TRACE_MAGIC   "KMTRACE"
#define KM_TRACE_VERSION 1
#define KM_TRACE_FRAME   0x464d4b01U

struct km_trace_head {
	char magic[8]; /* KM_TRACE_MAGIC with its terminator */
	uint32_t version;
	uint32_t pad;
};
_Static_assert(sizeof(struct km_trace_head) == 16, "the trace head is an ABI");

struct km_trace_frame {
	uint32_t magic;
	uint32_t packed; /* bytes of zlib data that follow */
	uint32_t plain;  /* bytes of raw records in them */
	uint32_t crc;    /* CRC-32 of the packed bytes */
	uint64_t first;  /* number of the first record, from 0 */
};
_Static_assert(sizeof(struct km_trace_frame) == 24, "the trace frame is an ABI");

#endif
