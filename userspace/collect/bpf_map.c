// SPDX-License-Identifier: Apache-2.0
/* The maps that all objects share, and what needs no program but a map to do. */
#include <bpf/bpf.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "collect/bpf.h"

/* PROC_PID_INIT_INO of the kernel: the number of the initial PID namespace, everywhere. */
#define INITIAL_PIDNS 0xeffffffcU

/* The larger the host, the more is under way at a time. */
static uint32_t close_entries(uint32_t cpus)
{
	return cpus < KMEND_CLOSE_MAX / KMEND_CLOSE_PER_CPU ? cpus * KMEND_CLOSE_PER_CPU
	                                                    : KMEND_CLOSE_MAX;
}

/* Before the map that holds them: the first is its pattern. */
static int make_bulk(struct km_bpf *b)
{
	for (uint32_t i = 0; i < b->setup.bulk_rings; i++) {
		b->bulk[i] = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "kmend_bulk_ring", 0, 0,
		                            b->setup.bulk_bytes, NULL);
		if (b->bulk[i] < 0)
			return b->bulk[i];
	}
	return 0;
}

static int put_bulk(const struct km_bpf *b)
{
	int r = 0;

	for (uint32_t i = 0; i < b->setup.bulk_rings && r == 0; i++)
		r = bpf_map_update_elem(b->maps[KM_MAP_BULK], &i, &b->bulk[i], BPF_ANY);
	return r;
}

int km_bpf_make_maps(struct km_bpf *b)
{
	const uint32_t entries[KM_MAP_MAX] = {
		[KM_MAP_MUST] = b->setup.must_bytes,
		[KM_MAP_BULK] = b->setup.bulk_rings,
		[KM_MAP_COUNTS] = (b->setup.cpus + 1) * KMEND_COUNTS_PER_CPU,
		[KM_MAP_ASKED] = close_entries(b->setup.cpus),
		[KM_MAP_STINTS] = close_entries(b->setup.cpus),
	};
	int r = make_bulk(b);

	if (r < 0)
		return r;
	for (int i = 0; i < KM_MAP_MAX; i++) {
		const struct km_map_def *d = &km_map_defs[i];
		struct bpf_map_create_opts o = { .sz = sizeof(o), .map_flags = d->flags };
		int fd;

		if (i == KM_MAP_BULK)
			o.inner_map_fd = (uint32_t)b->bulk[0];
		fd = bpf_map_create(d->type, d->name, d->key_size, d->value_size,
		                    d->entries ? d->entries : entries[i], &o);
		if (fd < 0)
			return fd;
		b->maps[i] = fd;
	}
	return put_bulk(b);
}

int km_bpf_map_counts(struct km_bpf *b)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t size = (b->setup.cpus + 1UL) * KMEND_COUNTS_PER_CPU * sizeof(struct kmend_count);
	void *p;

	size = (size + page - 1) / page * page;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, b->maps[KM_MAP_COUNTS], 0);
	if (p == MAP_FAILED)
		return -errno;
	b->counts = p;
	b->counts_size = size;
	return 0;
}

struct kmend_count km_bpf_count(const struct km_bpf *b, enum kmend_ring ring, uint32_t type)
{
	struct kmend_count sum = { 0 };

	for (uint32_t cpu = 0; b->counts && cpu < b->setup.cpus; cpu++) {
		const struct kmend_count *c =
			&b->counts[cpu * KMEND_COUNTS_PER_CPU + ring * KMEND_TYPE_MAX + type];

		/* Lost first: it never exceeds seen, also when both grow meanwhile. */
		sum.lost += __atomic_load_n(&c->lost, __ATOMIC_ACQUIRE);
		sum.seen += __atomic_load_n(&c->seen, __ATOMIC_ACQUIRE);
	}
	return sum;
}

struct kmend_count *km_bpf_told(const struct km_bpf *b, enum kmend_ring ring, uint32_t type)
{
	return &b->counts[b->setup.cpus * KMEND_COUNTS_PER_CPU + ring * KMEND_TYPE_MAX + type];
}

static int run_once(int prog_fd)
{
	struct bpf_test_run_opts o = { .sz = sizeof(o) };

	return bpf_prog_test_run_opts(prog_fd, &o);
}

int km_bpf_canary(const struct km_bpf *b)
{
	if (!km_bpf_works(b, KM_PROG_CANARY))
		return -ENOENT;
	return run_once(b->progs[KM_PROG_CANARY].prog_fd);
}

int km_bpf_find_pidns(struct km_bpf *b)
{
	struct kmend_probe where = { 0 };
	int fd = b->progs[KM_PROG_WHERE].prog_fd, r;
	uint32_t key = 0;

	if (b->setup.pidns_inum == INITIAL_PIDNS)
		return 0;
	if (fd < 0)
		return -ENOENT;
	r = run_once(fd);
	if (r >= 0)
		r = bpf_map_lookup_elem(b->maps[KM_MAP_WHERE], &key, &where);
	if (r < 0)
		return r;
	if (where.pidns_inum != b->setup.pidns_inum)
		return -ESTALE;
	b->setup.pidns_level = where.pidns_level;
	return 0;
}
