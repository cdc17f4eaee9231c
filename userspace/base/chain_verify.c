// SPDX-License-Identifier: Apache-2.0
/* The proof of a chain: every record by its digest, its number and the one before it. */
#include <fcntl.h>
#include <stdio.h>

#include "base/chain_scan.h"
#include "base/fs.h"
#include "base/text.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "records lie on disk as in memory");

void km_chain_digest(const struct km_chain_record *r, uint8_t ret[KM_SHA256_SIZE])
{
	km_sha256(&(struct km_span){ r, offsetof(struct km_chain_record, digest) }, 1, ret);
}

void km_chain_name(const struct km_chain_opts *o, unsigned int number, char ret[32])
{
	snprintf(ret, 32, "%.15s-%08u", o->prefix, number);
}

static bool all_zero(const char *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

static const char *check_order(const struct km_chain_scan *s, const struct km_chain_record *r)
{
	/* A record whose sync failed may be on disk or not. The segment was left, and the next one
	 * follows the record before it. */
	if (r->kind == KM_CHAIN_OPEN && r->error == -EIO && r->sequence == s->last.sequence &&
	    memcmp(r->previous, s->last.previous, KM_SHA256_SIZE) == 0)
		return NULL;
	/* The oldest ones are dropped in time: only of number 1 is known what it follows. */
	if (s->segment == 0 && r->sequence != 1)
		return s->numbers[0] == 1 ? "the first record is not the first" : NULL;
	if (r->sequence != s->last.sequence + 1)
		return "records are missing before it";
	if (memcmp(r->previous, s->last.digest, KM_SHA256_SIZE) != 0)
		return "it does not follow the one before";
	return NULL;
}

/* NULL, or what is wrong. */
static const char *check(const struct km_chain_scan *s, const struct km_chain_record *r,
                         unsigned int slot)
{
	uint8_t digest[KM_SHA256_SIZE];

	km_chain_digest(r, digest);
	if (memcmp(digest, r->digest, sizeof(digest)) != 0)
		return "its digest does not match";
	if (r->magic != s->o->magic || r->version != s->o->version)
		return "written by another version";
	if (r->kind < KM_CHAIN_OPEN || r->kind >= s->o->kinds ||
	    (slot == 0) != (r->kind == KM_CHAIN_OPEN))
		return "a kind that cannot stand there";
	if (s->o->wrong && s->o->wrong(r))
		return s->o->wrong(r);
	return check_order(s, r);
}

static void take(struct km_chain_scan *s, const struct km_chain_record *r, unsigned int segment)
{
	s->last = *r;
	s->slots = segment == s->segment ? s->slots + 1 : 1;
	s->segment = segment;
	s->report.records++;
	if ((r->kind == s->o->id_kind || r->kind == KM_CHAIN_OPEN) && r->id > s->id)
		s->id = r->id;
	if (s->o->cb)
		s->o->cb(s->o->userdata, r);
}

static void found_bad(struct km_chain_scan *s, unsigned int segment, unsigned int slot,
                      const char *what)
{
	s->bad = segment;
	s->good = slot;
	s->report.bad_sequence = s->last.sequence + 1;
	km_chain_name(s->o, segment, s->report.file);
	km_copy(s->report.what, sizeof(s->report.what), what);
}

static void scan_records(struct km_chain_scan *s, const char *data, size_t len, unsigned int n)
{
	const char *wrong = NULL;
	unsigned int slot;
	size_t at = 0;

	for (slot = 0; !wrong && slot < KM_CHAIN_SEGMENT_RECORDS; slot++) {
		at = (size_t)slot * KM_CHAIN_RECORD_SIZE;
		if (at + KM_CHAIN_RECORD_SIZE > len)
			wrong = "the file is cut short";
		else if (all_zero(data + at, KM_CHAIN_RECORD_SIZE))
			break;
		else
			wrong = check(s, (const void *)(data + at), slot);
		if (!wrong)
			take(s, (const void *)(data + at), n);
	}
	if (!wrong && len != KM_CHAIN_SEGMENT_BYTES)
		wrong = "the file has not its size";
	if (!wrong && slot < KM_CHAIN_SEGMENT_RECORDS && !all_zero(data + at, len - at))
		wrong = "a record is wiped out";
	if (wrong)
		found_bad(s, n, n == s->segment ? s->slots : 0, wrong);
}

static int scan_segment(int dir_fd, struct km_chain_scan *s, unsigned int number)
{
	km_autofree_char char *data = malloc(KM_CHAIN_SEGMENT_BYTES + 1);
	km_autoclose int fd = -1;
	char name[32];
	ssize_t n;

	km_chain_name(s->o, number, name);
	fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (!data || fd < 0)
		return data ? -errno : -ENOMEM;
	n = pread(fd, data, KM_CHAIN_SEGMENT_BYTES + 1, 0);
	if (n < 0)
		return -errno;
	s->report.segments++;
	scan_records(s, data, (size_t)n, number);
	return 0;
}

/* Names have eight digits: sorted bytewise is sorted by number. */
static int list_segments(int dir_fd, struct km_chain_scan *s)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	size_t len = strlen(s->o->prefix) + 1;
	int r = km_fs_list(dir_fd, "", 2 * KM_CHAIN_SEGMENTS_MAX, &names);
	char again[32];

	for (char **p = names; r >= 0 && *p; p++) {
		const char *digits = *p + len;
		uint64_t number = 0;

		if (strlen(*p) <= len || km_text_u64(&digits, &number) < 0 || number == 0 ||
		    number > UINT32_MAX)
			continue;
		km_chain_name(s->o, (unsigned int)number, again);
		if (strcmp(again, *p) != 0)
			continue;
		if (s->count == KM_CHAIN_SEGMENTS_MAX)
			return -E2BIG;
		s->numbers[s->count++] = (unsigned int)number;
	}
	return r;
}

int km_chain_scan(int dir_fd, const struct km_chain_opts *opts, struct km_chain_scan *s)
{
	int r;

	memset(s, 0, sizeof(*s));
	s->o = opts;
	r = list_segments(dir_fd, s);
	for (unsigned int i = 0; r >= 0 && i < s->count && !s->bad; i++) {
		if (i > 0 && s->numbers[i] != s->numbers[i - 1] + 1)
			found_bad(s, s->numbers[i], 0, "the segment before it is missing");
		else
			r = scan_segment(dir_fd, s, s->numbers[i]);
	}
	return r < 0 ? r : 0;
}

int km_chain_verify(int dir_fd, const struct km_chain_opts *opts, struct km_chain_report *ret)
{
	struct km_chain_scan s = { .bad = 1 }, again;
	struct km_chain_opts silent = *opts;
	int r = 0;

	/* The writer may be at work: what looks bad while a record comes in is good when looked at
	 * again. */
	silent.cb = NULL;
	for (int i = 0; r == 0 && i < 3 && s.bad; i++)
		r = km_chain_scan(dir_fd, &silent, &s);
	if (r == 0 && opts->cb)
		r = km_chain_scan(dir_fd, opts, &again);
	if (r < 0)
		return r;
	*ret = s.report;
	return s.bad ? -EBADMSG : 0;
}
