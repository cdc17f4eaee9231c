/* SPDX-License-Identifier: Apache-2.0 */
/* A value record by hand. */
#ifndef KM_TEST_VALUE_H
#define KM_TEST_VALUE_H

#include "collect/raw.h"

struct value_record {
	_Alignas(8) unsigned char bytes[sizeof(struct km_raw_value) + KM_NAME_MAX];
};

/* A level of SIG, without limit; the members may be changed afterwards. */
static inline struct km_raw_value *value_make(struct value_record *r, enum km_sig sig,
                                              enum km_entity entity, const char *name, double value)
{
	struct km_raw_value *v;
	size_t len = strlen(name);

	*r = (struct value_record){ 0 };
	v = (void *)r->bytes;
	v->hdr.type = KM_RAW_VALUE;
	v->hdr.size = (uint16_t)((sizeof(*v) + len + 7) & ~(size_t)7);
	v->hdr.ktime_ns = 5 * KM_NS_PER_S;
	v->signal = sig;
	v->entity = entity;
	v->value = value;
	v->limit = -1;
	v->len = (uint32_t)len;
	memcpy(v->name, name, len);
	return v;
}

#endif
