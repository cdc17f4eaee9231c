// SPDX-License-Identifier: Apache-2.0
/* From raw bytes to a checked signal: the general part. */
#include "base/text.h"
#include "decode/kinds.h"

/* About 292 years of boot time: sums of two times below it cannot wrap. */
#define TIME_MAX_NS ((uint64_t)INT64_MAX)

static bool terminated(const char *s, size_t size)
{
	return memchr(s, 0, size) != NULL;
}

static bool strings_end(const struct km_kind *kind, const void *raw)
{
	for (size_t i = 0; i < KM_KIND_STRINGS && kind->strings[i].size > 0; i++)
		if (!terminated((const char *)raw + kind->strings[i].offset, kind->strings[i].size))
			return false;
	return true;
}

/* Bytes behind a terminator are not kept: they would be neither checked nor shown. */
static void clean_strings(const struct km_kind *kind, const void *raw, void *copy)
{
	for (size_t i = 0; i < KM_KIND_STRINGS && kind->strings[i].size > 0; i++) {
		char *to = (char *)copy + kind->strings[i].offset;
		size_t size = kind->strings[i].size;

		memset(to, 0, size);
		km_utf8_clean((const char *)raw + kind->strings[i].offset, size, to, size);
	}
}

static bool size_fits(const struct km_kind *kind, size_t len)
{
	return kind->open ? len >= kind->size : len == kind->size;
}

/* What has no fixed size is not copied, only pointed at. */
static void fill_in(const struct km_kind *kind, const void *raw, struct km_signal *ret)
{
	const struct kmend_hdr *hdr = raw;

	memset(ret, 0, offsetof(struct km_signal, fork));
	ret->type = hdr->type;
	ret->t_ns = hdr->ktime_ns;
	ret->cgroup_id = hdr->cgroup_id;
	if (kind->open) {
		ret->text = raw;
		return;
	}
	memcpy(&ret->fork, raw, kind->size);
	clean_strings(kind, raw, &ret->fork);
}

int km_decode(const void *raw, size_t len, struct km_signal *ret)
{
	const struct kmend_hdr *hdr = raw;
	const struct km_kind *kind;

	if (len < sizeof(*hdr) || len > KM_RAW_MAX || len % 8 != 0 || hdr->size != len)
		return -EBADMSG;
	kind = km_kind_find(hdr->type);
	if (!kind)
		return -ENOTSUP;
	if (!size_fits(kind, len) || hdr->ktime_ns > TIME_MAX_NS)
		return -EBADMSG;
	if (!strings_end(kind, raw) || (kind->check && !kind->check(raw, len)))
		return -EBADMSG;
	fill_in(kind, raw, ret);
	return 0;
}

const struct km_kind *km_kind_find(uint16_t type)
{
	for (const struct km_kind *kind = km_kinds; kind->name; kind++)
		if (kind->type == type)
			return kind;
	return NULL;
}

const char *km_signal_name(uint16_t type)
{
	const struct km_kind *kind = km_kind_find(type);

	return kind ? kind->name : "unknown";
}

void km_signal_write(const struct km_signal *s, struct km_json_writer *w)
{
	const struct km_kind *kind = km_kind_find(s->type);

	km_jw_kstring(w, "type", km_signal_name(s->type));
	km_jw_ku64(w, "t_ns", s->t_ns);
	if (s->cgroup_id != 0)
		km_jw_ku64(w, "cgroup_id", s->cgroup_id);
	if (kind && kind->put)
		kind->put(s, w);
}
