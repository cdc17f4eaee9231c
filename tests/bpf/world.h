/* SPDX-License-Identifier: Apache-2.0 */
/* A collector in a mount namespace and on a bpffs of its own, whose records a test can wait for. */
#ifndef KM_TEST_WORLD_H
#define KM_TEST_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fs.h"
#include "collect/internal.h"

#define WORLD_RECORDS_MAX 65536
#define WORLD_PATIENCE_NS (10 * KM_NS_PER_S)

struct world {
	struct km_loop *loop;
	struct km_collect *collect;
	char *records[WORLD_RECORDS_MAX];
	size_t count;
	char dir[64];
	char pins[80];
};

static inline const struct kmend_hdr *world_record(const struct world *w, size_t i)
{
	return (const void *)w->records[i];
}

/* Cgroup v2 id of this process. */
static inline uint64_t world_cgroup(void)
{
	int fd = open("/proc", O_RDONLY | O_DIRECTORY);
	struct km_cgroup_mounts m;
	struct kmend_task t = { 0 };

	assert_int_equal(km_cgroup_mounts_read(&m), 0);
	assert_int_equal(km_procfs_task(fd, m.unified, (uint32_t)getpid(), &t), 0);
	close(fd);
	return t.hdr.cgroup_id;
}

static inline int world_sink(void *userdata, const void *raw, size_t len)
{
	const struct kmend_hdr *h = raw;
	struct world *w = userdata;

	if (len != h->size || (uintptr_t)raw % 8)
		return -EBADMSG;
	if (w->count < WORLD_RECORDS_MAX) {
		w->records[w->count] = malloc(len);
		if (!w->records[w->count])
			return -ENOMEM;
		memcpy(w->records[w->count++], raw, len);
	}
	return 0;
}

static inline bool world_possible(void)
{
	if (geteuid() == 0)
		return true;
	printf("skipped: kernel programs can be loaded by root only\n");
	return false;
}

static inline int world_enter(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(unshare(CLONE_NEWNS), 0);
	assert_int_equal(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	strcpy(w->dir, "/tmp/kmend-test-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	assert_int_equal(mount("bpf", w->dir, "bpf", 0, NULL), 0);
	snprintf(w->pins, sizeof(w->pins), "%s/pins", w->dir);
	assert_int_equal(mkdir(w->pins, 0700), 0);
	*state = w;
	return 0;
}

static inline void world_forget(struct world *w)
{
	while (w->count)
		free(w->records[--w->count]);
}

static inline void world_start(struct world *w, const struct km_collect_opts *opts)
{
	assert_int_equal(km_loop_new(&w->loop), 0);
	assert_int_equal(km_collect_prepare(opts, &w->collect), 0);
	assert_int_equal(km_collect_start(w->collect, w->loop, world_sink, w), 0);
}

static inline void world_stop(struct world *w, bool unpin)
{
	w->collect = km_collect_stop(w->collect, unpin);
	w->loop = km_loop_free(w->loop);
}

static inline int world_leave(void **state)
{
	struct world *w = *state;

	if (w->collect)
		world_stop(w, true);
	world_forget(w);
	km_collect_unpin(w->pins);
	rmdir(w->pins);
	umount(w->dir);
	rmdir(w->dir);
	free(w);
	return 0;
}

typedef bool (*world_match)(const void *raw, const void *arg);

/* The first record of TYPE that MATCH accepts (NULL: any); NULL: none came in time. */
static inline const void *world_wait(struct world *w, uint16_t type, world_match match,
                                     const void *arg)
{
	uint64_t end = km_now_ns() + WORLD_PATIENCE_NS;
	size_t seen = 0;

	for (;;) {
		for (; seen < w->count; seen++) {
			const struct kmend_hdr *h = world_record(w, seen);

			if (h->type == type && (!match || match(h, arg)))
				return h;
		}
		if (km_now_ns() > end || km_loop_once(w->loop, 100) < 0)
			return NULL;
	}
}

/* One whole pass more. */
static inline void world_pass(struct world *w)
{
	uint64_t end = km_now_ns() + WORLD_PATIENCE_NS;
	size_t from = w->count;

	for (;;) {
		assert_true(km_loop_once(w->loop, 100) >= 0);
		for (; from < w->count; from++)
			if (world_record(w, from)->type == KM_RAW_TICK)
				return;
		if (km_now_ns() > end)
			fail_msg("no pass was made");
	}
}

/* A child that does BODY and exits with 0, and does not outlive a test that fails. */
#define CHILD(body)                                       \
	({                                                \
		pid_t pid_ = fork();                      \
		if (!pid_) {                              \
			prctl(PR_SET_PDEATHSIG, SIGKILL); \
			body;                             \
			_exit(0);                         \
		}                                         \
		(uint32_t) pid_;                          \
	})

static inline int reap(uint32_t pid)
{
	int status = 0;

	assert_int_equal(waitpid((pid_t)pid, &status, 0), pid);
	return status;
}

static inline bool exit_of(const void *raw, const void *arg)
{
	return ((const struct kmend_exit *)raw)->tgid == *(const uint32_t *)arg;
}

#endif
