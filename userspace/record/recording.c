// SPDX-License-Identifier: Apache-2.0
#include "record/recording.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"

#define SUFFIX ".trace"
/* Files beyond it are not looked at: KM_RECORDING_PARTS are made, others may be left over. */
#define FILES_MAX 4096
/* What is packed at a time: a full host's checkpoint, and what comes in a few passes. */
#define PACKED_MAX (64 * 1024 * 1024)

struct km_recording {
	int dir_fd;
	int fd;          /* of the trace under way, -1: none */
	uint64_t number; /* its, or the last one's */
	uint64_t records, bytes;
};

static void name_of(uint64_t number, char ret[static 32])
{
	snprintf(ret, 32, "%0*llu" SUFFIX, KM_RECORDING_DIGITS, (unsigned long long)number);
}

uint64_t km_recording_number(const char *path)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *end = name;
	uint64_t n;

	if (km_text_u64(&end, &n) < 0 || end != name + KM_RECORDING_DIGITS ||
	    strcmp(end, SUFFIX) != 0)
		return 0;
	return n;
}

/* The traces that there are, oldest first; *RET as km_fs_list() has it. */
static int list(const struct km_recording *r, char ***ret)
{
	return km_fs_list(r->dir_fd, SUFFIX, FILES_MAX, ret);
}

int km_recording_open(int engine_fd, struct km_recording **ret)
{
	km_autofree(km_recording_closep) struct km_recording *r = calloc(1, sizeof(*r));
	km_autofree(km_fs_free_namesp) char **names = NULL;
	int k;

	if (!r)
		return -ENOMEM;
	r->fd = r->dir_fd = -1;
	if (mkdirat(engine_fd, "recording", 0700) < 0 && errno != EEXIST)
		return -errno;
	r->dir_fd = openat(engine_fd, "recording", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (r->dir_fd < 0)
		return -errno;
	k = list(r, &names);
	if (k < 0)
		return k;
	for (size_t i = 0; names[i]; i++)
		if (km_recording_number(names[i]) > r->number)
			r->number = km_recording_number(names[i]);
	km_recording_gap(r);
	*ret = km_take(r);
	return 0;
}

struct km_recording *km_recording_close(struct km_recording *r)
{
	if (!r)
		return NULL;
	km_close(&r->fd);
	km_close(&r->dir_fd);
	free(r);
	return NULL;
}

void km_recording_gap(struct km_recording *r)
{
	if (!r)
		return;
	km_close(&r->fd);
	r->number++;
}

static int drop(struct km_recording *r, const char *name, uint64_t *bytes)
{
	struct stat st;

	if (fstatat(r->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if (unlinkat(r->dir_fd, name, 0) < 0)
		return -errno;
	*bytes -= (uint64_t)st.st_size < *bytes ? (uint64_t)st.st_size : *bytes;
	return 0;
}

/* Leaves at most MAX bytes. */
static int prune(struct km_recording *r, uint64_t max)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	uint64_t bytes = 0;
	struct stat st;
	int k = list(r, &names);

	for (size_t i = 0; k == 0 && names[i]; i++)
		if (fstatat(r->dir_fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (uint64_t)st.st_size;
	for (size_t i = 0; k == 0 && names[i] && bytes > max; i++)
		k = drop(r, names[i], &bytes);
	return k;
}

static int begin(struct km_recording *r, uint64_t max)
{
	char name[32];
	int k = prune(r, max - max / KM_RECORDING_PARTS);

	if (k < 0)
		return k;
	name_of(r->number + 1, name);
	r->fd = openat(r->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (r->fd < 0)
		return -errno;
	r->number++;
	r->records = r->bytes = 0;
	return 0;
}

struct packing {
	struct km_trace_writer *writer;
	uint64_t records;
};

static int pack_one(void *userdata, const struct kmend_hdr *raw)
{
	struct packing *p = userdata;

	p->records++;
	return km_trace_add(p->writer, raw);
}

static int pack_all(struct km_recording *r, const struct km_recorded *what, struct packing *p)
{
	size_t at = 0;
	int k = r->bytes ? 0 : what->checkpoint(what->userdata, pack_one, p);

	while (k == 0 && at + KMEND_HDR_SIZE <= what->len) {
		const struct kmend_hdr *hdr = (const void *)((const char *)what->records + at);

		k = pack_one(p, hdr);
		at += hdr->size;
	}
	return k < 0 ? k : km_trace_flush(p->writer);
}

static int pack(struct km_recording *r, const struct km_recorded *what, struct km_buf *out,
                uint64_t *records)
{
	struct packing p = { NULL, 0 };
	int k = r->bytes ? km_trace_writer_resume(out, r->records, &p.writer)
	                 : km_trace_writer_new(out, &p.writer);

	if (k == 0)
		k = pack_all(r, what, &p);
	km_trace_writer_free(p.writer);
	*records = p.records;
	return k;
}

/* All of it, or nothing. */
static int append(struct km_recording *r, const struct km_buf *out)
{
	ssize_t n = pwrite(r->fd, out->data, out->len, (off_t)r->bytes);
	int k = n < 0 ? -errno : -ENOSPC;

	if ((size_t)n == out->len)
		return 0;
	return ftruncate(r->fd, (off_t)r->bytes) < 0 ? -errno : k;
}

static int add(struct km_recording *r, const struct km_recorded *what)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	uint64_t records = 0;
	int k = km_buf_new(PACKED_MAX, &out);

	if (k == 0)
		k = pack(r, what, out, &records);
	if (k == 0)
		k = append(r, out);
	if (k < 0)
		return k;
	r->records += records;
	r->bytes += out->len;
	return 0;
}

int km_recording_add(struct km_recording *r, const struct km_recorded *what, uint64_t max)
{
	int k = 0;

	if (!r)
		return 0;
	if (!max) {
		km_recording_gap(r);
		return prune(r, 0);
	}
	if (r->fd >= 0 && r->bytes >= max / KM_RECORDING_PARTS)
		km_close(&r->fd);
	if (r->fd < 0)
		k = begin(r, max);
	if (k == 0)
		k = add(r, what);
	if (k < 0)
		km_recording_gap(r);
	return k;
}
