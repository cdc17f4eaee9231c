// SPDX-License-Identifier: Apache-2.0
/* What this kernel has to attach to, and why something could not be loaded. */
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>

#include "base/fs.h"
#include "collect/bpf.h"

#define TRACE_PREFIX "tp_btf/"

/* Function type of a tracepoint: typedef btf_trace_X -> pointer -> prototype. NULL: there is none.
 */
static const struct btf_type *trace_proto(const struct btf *btf, const char *hook)
{
	const struct btf_type *t;
	char name[64];
	int id;

	snprintf(name, sizeof(name), "btf_trace_%s", hook + strlen(TRACE_PREFIX));
	id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	if (id < 0)
		return NULL;
	t = btf__type_by_id(btf, btf__type_by_id(btf, (uint32_t)id)->type);
	if (!t || !btf_is_ptr(t))
		return NULL;
	t = btf__type_by_id(btf, t->type);
	return t && btf_is_func_proto(t) ? t : NULL;
}

/* mark_victim hands a task from 6.9 on (and where that was taken back to stable kernels). */
static bool victim_is_task(const struct btf *btf, const struct btf_type *proto)
{
	const struct btf_type *arg;

	if (btf_vlen(proto) < 2) /* the first is the tracepoint's own void pointer */
		return false;
	arg = btf__type_by_id(btf, btf_params(proto)[1].type);
	return arg && btf_is_ptr(arg);
}

static bool has_task_storage(void)
{
	return libbpf_probe_bpf_map_type(BPF_MAP_TYPE_TASK_STORAGE, NULL) == 1;
}

static bool has_hook(struct km_bpf *b, const struct btf *btf, int id)
{
	const struct km_prog_def *d = &km_prog_defs[id];
	struct km_prog *p = &b->progs[id];
	const struct btf_type *proto;
	char name[64];
	bool by_task;

	if (d->attach == KM_ATTACH_NONE)
		return true;
	if (d->attach == KM_ATTACH_ITER) {
		snprintf(name, sizeof(name), "bpf_iter_%s", d->hook + strlen("iter/"));
		if (btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0)
			return true;
		snprintf(p->reason, sizeof(p->reason), "this kernel has no iterator %s",
		         d->hook + strlen("iter/"));
		return false;
	}
	proto = trace_proto(btf, d->hook);
	if (!proto) {
		snprintf(p->reason, sizeof(p->reason),
		         "this kernel has no tracepoint %s with type information",
		         d->hook + strlen(TRACE_PREFIX));
		return false;
	}
	if (id == KM_PROG_DROP && btf_vlen(proto) < 4) {
		km_copy(p->reason, sizeof(p->reason),
		        "this kernel does not say why it drops packets: it does from 5.17 on");
		return false;
	}
	if (d->family == KM_FAMILY_LATENCY && !has_task_storage()) {
		km_copy(p->reason, sizeof(p->reason),
		        "this kernel keeps nothing with tasks: that is from 5.11 on");
		return false;
	}
	if (id != KM_PROG_OOM && id != KM_PROG_OOM_PID && id != KM_PROG_OOM_KILL)
		return true;
	proto = trace_proto(btf, km_prog_defs[KM_PROG_OOM].hook);
	by_task = proto && victim_is_task(btf, proto);
	if (by_task == (id == KM_PROG_OOM))
		return true;
	p->state = KM_PROG_UNUSED;
	km_copy(p->reason, sizeof(p->reason),
	        by_task ? "mark_victim hands over the task on this kernel"
	                : "mark_victim hands over a PID on this kernel");
	return false;
}

uint32_t km_bpf_hooks(struct km_bpf *b, const struct btf *btf, enum km_family family)
{
	uint32_t mask = 0;

	for (int i = 0; i < KM_PROG_MAX; i++)
		if (km_prog_defs[i].family == family && has_hook(b, btf, i))
			mask |= 1U << i;
	return mask;
}

static bool is_statistics(const char *line)
{
	static const char *const start[] = { "processed ", "verification time", "stack depth",
		                             "mark_precise" };

	for (size_t i = 0; i < KM_ARRAY_SIZE(start); i++)
		if (strncmp(line, start[i], strlen(start[i])) == 0)
			return true;
	return false;
}

/* The last line that is not statistics: where the verifier says what it does not like. */
static void last_words(const char *log, char *out, size_t size)
{
	const char *end = log + strlen(log);

	out[0] = '\0';
	while (end > log) {
		const char *line = end;
		size_t n;

		while (line > log && line[-1] != '\n')
			line--;
		n = (size_t)(end - line);
		if (n > 0 && !is_statistics(line)) {
			snprintf(out, size, "%.*s", (int)(n < size ? n : size - 1), line);
			return;
		}
		end = line > log ? line - 1 : log;
	}
}

static bool in_lockdown(void)
{
	char text[128];

	return km_fs_read_small(AT_FDCWD, "/sys/kernel/security/lockdown", text, sizeof(text)) >
	               0 &&
	       strstr(text, "[confidentiality]");
}

void km_bpf_reason(int err, const char *log, char *out, size_t size)
{
	char words[160] = "";

	if (log)
		last_words(log, words, sizeof(words));
	if (err == -EINVAL && in_lockdown())
		km_copy(out, size,
		        "the kernel is locked down (confidentiality): start it without lockdown= "
		        "or "
		        "with lockdown=integrity");
	else if (err == -EPERM && geteuid() != 0)
		km_copy(out, size, "not permitted: run as root, or with CAP_BPF and CAP_PERFMON");
	else if (err == -EPERM)
		km_copy(out, size,
		        "not permitted, though root: CAP_BPF and CAP_PERFMON are missing here, or "
		        "the kernel's policy forbids it");
	else if (err == -ESRCH || (err == -ENOENT && access("/sys/kernel/btf/vmlinux", R_OK) != 0))
		km_copy(out, size,
		        "no type information of the kernel (BTF): take one built with "
		        "CONFIG_DEBUG_INFO_BTF");
	else if (err == -ENOSYS)
		km_copy(out, size, "this kernel is built without the bpf() system call");
	else if (words[0])
		snprintf(out, size, "refused by the verifier: %s (%s)", words, strerror(-err));
	else
		snprintf(out, size, "%s", strerror(-err));
}
