/* SPDX-License-Identifier: Apache-2.0 */
#include "report/request.h"

/* Programs and maps of all families, several times over. */
#define OBJECTS_MAX 128

static void write_object(const struct km_bpf_object *o, struct km_json_writer *w)
{
	km_jw_object(w);
	km_jw_kstring(w, "name", o->name);
	km_jw_kstring(w, "kind", o->kind);
	km_jw_kstring(w, "hook", o->hook);
	km_jw_kstring(w, "state", o->state);
	km_jw_kknown(w, "run_count", o->run_count);
	km_jw_kknown(w, "run_time_ns", o->run_time_ns);
	km_jw_ku64(w, "seen", o->seen);
	km_jw_ku64(w, "lost", o->lost);
	km_jw_kstring(w, "reason", o->reason[0] ? o->reason : NULL);
	km_jw_end_object(w);
}

static int list(struct km_request *rq)
{
	struct km_bpf_object *objects = calloc(OBJECTS_MAX, sizeof(*objects));
	size_t n;

	if (!objects)
		return km_request_fail(rq, "failed", NULL, "out of memory");
	n = rq->view->collect ? km_collect_bpf_objects(rq->view->collect, objects, OBJECTS_MAX) : 0;
	km_jw_key(rq->w, "objects");
	km_jw_array(rq->w);
	for (size_t i = 0; i < n; i++)
		write_object(&objects[i], rq->w);
	km_jw_end_array(rq->w);
	free(objects);
	return 0;
}

const struct km_control_command km_bpf_commands[] = {
	{ "bpf", "list", km_args_none, false, list },
	{ 0 },
};
