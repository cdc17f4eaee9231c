// SPDX-License-Identifier: Apache-2.0
/* From embedded objects to attached programs. Each object is tried whole; if that fails, each of
 * its programs alone, so that one that this kernel refuses takes nothing else with it. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "collect/bpf.h"

#define LOG_SIZE 65536 /* its end holds the verifier's message */

static void say(struct km_prog *p, enum km_prog_state state, const char *reason)
{
	p->state = state;
	km_copy(p->reason, sizeof(p->reason), reason);
}

/* What programs reach without a lookup is a section of its own: ".data.NAME". */
static int find_shared(const char *name)
{
	static const char section[] = ".data.";

	if (strncmp(name, section, strlen(section)) == 0)
		name += strlen(section);
	for (int i = 0; i < KM_MAP_MAX; i++)
		if (strcmp(km_map_defs[i].name, name) == 0)
			return i;
	return -1;
}

/* Shared maps are put in the place of the object's own; the setup becomes read-only data. */
static int furnish(struct km_bpf *b, struct bpf_object *obj)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, obj)
	{
		const char *name = bpf_map__name(map);
		int shared = find_shared(name), r = 0;
		size_t size;
		void *data;

		if (shared >= 0) {
			r = bpf_map__reuse_fd(map, b->maps[shared]);
		} else if (strstr(name, ".rodata")) {
			data = (void *)bpf_map__initial_value(map, &size);
			if (!data || size != sizeof(b->setup))
				return -EBADF; /* something else got into .rodata */
			memcpy(data, &b->setup, sizeof(b->setup));
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_progs(struct km_bpf *b, struct bpf_object *obj, uint32_t mask)
{
	for (int i = 0; i < KM_PROG_MAX; i++) {
		struct bpf_program *p;
		int fd;

		if (!(mask & 1U << i))
			continue;
		p = bpf_object__find_program_by_name(obj, km_prog_defs[i].name);
		fd = p ? fcntl(bpf_program__fd(p), F_DUPFD_CLOEXEC, 3) : -1;
		if (fd < 0)
			return -errno;
		b->progs[i].prog_fd = fd;
		say(&b->progs[i], KM_PROG_READY, "");
	}
	return 0;
}

static int load_set(struct km_bpf *b, enum km_family family, uint32_t mask, char *log)
{
	struct bpf_object_open_opts opts = { .sz = sizeof(opts),
		                             .object_name = km_family_names[family],
		                             .kernel_log_buf = log,
		                             .kernel_log_size = LOG_SIZE };
	struct km_span elf = km_family_elf(family);
	struct bpf_object *obj;
	struct bpf_program *p;
	int r;

	log[0] = '\0';
	obj = bpf_object__open_mem(elf.data, elf.len, &opts);
	if (!obj)
		return -errno;
	bpf_object__for_each_program(p, obj)
	{
		bool wanted = false;

		for (int i = 0; i < KM_PROG_MAX; i++)
			if (mask & 1U << i)
				wanted |= !strcmp(bpf_program__name(p), km_prog_defs[i].name);
		bpf_program__set_autoload(p, wanted);
	}
	r = furnish(b, obj);
	if (r == 0)
		r = bpf_object__load(obj);
	if (r == 0)
		r = take_progs(b, obj, mask);
	bpf_object__close(obj);
	return r;
}

void km_bpf_load_family(struct km_bpf *b, enum km_family family, uint32_t mask)
{
	km_autofree_char char *log = malloc(LOG_SIZE);
	int r;

	if (!mask || !log)
		return;
	r = load_set(b, family, mask, log);
	if (r == 0)
		return;
	for (int i = 0; i < KM_PROG_MAX; i++) {
		struct km_prog *p = &b->progs[i];

		if (!(mask & 1U << i))
			continue;
		if (mask != 1U << i)
			r = load_set(b, family, 1U << i, log);
		if (r == 0)
			continue;
		p->state = KM_PROG_FAILED;
		km_bpf_reason(r, log, p->reason, sizeof(p->reason));
	}
}

/* A raw link by hand instead of libbpf's struct bpf_link: only the descriptor is kept. */
int km_bpf_attach(const struct km_prog_def *d, int prog_fd)
{
	if (d->attach == KM_ATTACH_ITER)
		return bpf_link_create(prog_fd, 0, BPF_TRACE_ITER, NULL);
	return bpf_raw_tracepoint_open(NULL, prog_fd); /* tp_btf knows its hook */
}

void km_bpf_attach_all(struct km_bpf *b)
{
	for (int i = 0; i < KM_PROG_MAX; i++) {
		const struct km_prog_def *d = &km_prog_defs[i];
		struct km_prog *p = &b->progs[i];

		if (p->state != KM_PROG_READY || d->attach == KM_ATTACH_NONE ||
		    d->attach == KM_ATTACH_WINDOW || p->link_fd >= 0)
			continue;
		p->link_fd = km_bpf_attach(d, p->prog_fd);
		if (p->link_fd >= 0) {
			p->state = KM_PROG_ATTACHED;
			continue;
		}
		p->state = KM_PROG_FAILED;
		km_bpf_reason(-errno, NULL, p->reason, sizeof(p->reason));
	}
}

static void hash_build(struct km_bpf *b)
{
	struct km_span pieces[KM_FAMILY_MAX + 1];

	for (int i = 0; i < KM_FAMILY_MAX; i++)
		pieces[i] = km_family_elf(i);
	pieces[KM_FAMILY_MAX] = (struct km_span){ &b->setup, sizeof(b->setup) };
	km_sha256(pieces, KM_ARRAY_SIZE(pieces), b->build);
}

void km_bpf_init(struct km_bpf *b)
{
	memset(b, 0, sizeof(*b));
	for (int i = 0; i < KM_PROG_MAX; i++)
		b->progs[i].prog_fd = b->progs[i].link_fd = -1;
	for (int i = 0; i < KM_MAP_MAX; i++)
		b->maps[i] = -1;
	for (int i = 0; i < KMEND_BULK_RINGS_MAX; i++)
		b->bulk[i] = b->old_bulk[i] = -1;
	b->old_must = b->pin_fd = -1;
}

/* As many bulk rings as there are CPUs in use; one that comes later shares the ring of another. */
static void set_up_bulk(struct km_bpf *b)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t rings = 1;

	while (rings < KMEND_BULK_RINGS_MAX && (long)rings < online)
		rings *= 2;
	b->setup.bulk_rings = rings;
	b->setup.bulk_bytes = KMEND_BULK_BYTES / rings;
	if (b->setup.bulk_bytes < KMEND_BULK_BYTES_MIN)
		b->setup.bulk_bytes = KMEND_BULK_BYTES_MIN;
}

static void set_up(const struct km_bpf_opts *opts, struct km_bpf *b)
{
	struct stat st;
	int cpus = libbpf_num_possible_cpus();

	b->setup.cpus = cpus > 0 ? (uint32_t)cpus : 1;
	b->setup.page_shift = (uint32_t)__builtin_ctzl((unsigned long)sysconf(_SC_PAGESIZE));
	b->setup.must_bytes = opts->must_bytes ? opts->must_bytes : KMEND_MUST_BYTES;
	set_up_bulk(b);
	if (opts->bulk_bytes)
		b->setup.bulk_bytes = opts->bulk_bytes;
	if (stat("/proc/self/ns/pid", &st) == 0)
		b->setup.pidns_inum = (uint32_t)st.st_ino;
}

static void give_up(struct km_bpf *b, int err)
{
	km_bpf_reason(err, NULL, b->reason, sizeof(b->reason));
	for (int i = 0; i < KM_PROG_MAX; i++)
		if (!km_bpf_works(b, i))
			say(&b->progs[i], KM_PROG_ABSENT, b->reason);
}

/* What is neither taken over nor loaded yet. */
static uint32_t missing(const struct km_bpf *b, uint32_t mask)
{
	for (int i = 0; i < KM_PROG_MAX; i++)
		if (km_bpf_works(b, i))
			mask &= ~(1U << i);
	return mask;
}

static int load_all(struct km_bpf *b)
{
	struct btf *btf = btf__load_vmlinux_btf();
	uint32_t masks[KM_FAMILY_MAX];
	int r;

	if (!btf)
		return -errno;
	for (int f = 0; f < KM_FAMILY_MAX; f++)
		masks[f] = km_bpf_hooks(b, btf, f);
	km_drops_learn(btf, b->drop_class);
	btf__free(btf);
	/* First the probe, whose answer is part of the others' setup. */
	km_bpf_load_family(b, KM_FAMILY_PROBE, missing(b, masks[KM_FAMILY_PROBE]));
	r = km_bpf_find_pidns(b);
	if (r < 0)
		return r;
	for (int f = 0; f < KM_FAMILY_MAX; f++)
		if (f != KM_FAMILY_PROBE)
			km_bpf_load_family(b, f, missing(b, masks[f]));
	return 0;
}

int km_bpf_load(const struct km_bpf_opts *opts, struct km_bpf *b)
{
	int r = 0;

	set_up(opts, b);
	libbpf_set_print(NULL); /* reasons are told by row, not by line on stderr */
	hash_build(b);
	if (opts->pin_dir)
		r = km_pins_open(b, opts->pin_dir);
	if (r == -EEXIST)
		return r;
	if (r < 0)
		snprintf(b->reason, sizeof(b->reason), "nothing is pinned: %s", strerror(-r));
	b->taken_over = r == 1;
	r = b->taken_over ? 0 : km_bpf_make_maps(b);
	if (r == 0)
		r = km_bpf_map_counts(b);
	if (r == 0)
		r = load_all(b);
	if (r < 0) {
		give_up(b, r);
		return 0;
	}
	/* Old programs go when their successors are loaded, so that nearly nothing is missed, and
	 * before they are attached, so that nothing is seen twice. */
	if (!b->taken_over && b->pin_fd >= 0)
		km_pins_clear(b->pin_fd);
	km_bpf_attach_all(b);
	if (b->pin_fd >= 0)
		km_pins_put(b);
	return 0;
}

void km_bpf_close(struct km_bpf *b)
{
	for (int i = 0; i < KM_PROG_MAX; i++) {
		km_close(&b->progs[i].link_fd);
		km_close(&b->progs[i].prog_fd);
	}
	for (int i = 0; i < KM_MAP_MAX; i++)
		km_close(&b->maps[i]);
	for (int i = 0; i < KMEND_BULK_RINGS_MAX; i++) {
		km_close(&b->bulk[i]);
		km_close(&b->old_bulk[i]);
	}
	km_close(&b->old_must);
	if (b->counts)
		munmap(b->counts, b->counts_size);
	b->counts = NULL;
	km_close(&b->pin_fd);
}
