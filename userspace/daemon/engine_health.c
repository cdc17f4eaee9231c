// SPDX-License-Identifier: Apache-2.0
/* Results of health checks come from the process that talks to everybody: only their kind and size
 * are taken as they are; when they came is ours to say, the rest phase 2's to check. */
#include "daemon/engine.h"
#include "health/prober.h"

/* In one go: the kernel's records wait meanwhile. */
#define BURST 256

int km_engine_prober(void *userdata, int fd, uint32_t events)
{
	struct km_engine *e = userdata;
	int r = 0;

	(void)events;
	for (int i = 0; i < BURST && r == 0; i++) {
		struct km_prober_result m;
		ssize_t n = km_message_recv(fd, &m, sizeof(m), NULL);

		if (n == -EAGAIN)
			return 0;
		if (n == -EBADMSG)
			continue;
		if (n <= 0)
			return n ? (int)n : -EPIPE;
		if (n != sizeof(m) || m.hdr.type != KM_PROBER_RESULT ||
		    m.hdr.version != KM_PROBER_VERSION || m.raw.hdr.type != KM_RAW_HEALTH ||
		    m.raw.hdr.size != sizeof(m.raw))
			continue;
		m.raw.hdr.ktime_ns = km_now_ns();
		m.raw.hdr.cgroup_id = 0;
		r = km_engine_feed(e, &m.raw, sizeof(m.raw));
	}
	return r;
}

static void ask(struct km_engine *e, const struct km_service *s, const char *check)
{
	struct km_prober_ask m = {
		.hdr = { KM_PROBER_ASK, KM_PROBER_VERSION, sizeof(m) },
	};

	km_copy(m.service, sizeof(m.service), s->name);
	km_copy(m.check, sizeof(m.check), check);
	/* A prober that takes nothing has enough to do; the check comes in its turn. */
	km_message_send(e->prober_sock, &m, sizeof(m), -1);
}

void km_engine_ask_checks(struct km_engine *e, const struct km_service *s, uint64_t t_ns)
{
	const struct km_service_def *def =
		km_config_service(km_pipeline_config(e->pipeline), s->name);

	if (!km_prober_needed(e->d->set.config))
		return;
	for (size_t i = 0; def && i < def->endpoint_count; i++) {
		const struct km_endpoint *d = &def->endpoints[i];
		const struct km_endpoint_state *now =
			km_attribute_endpoint(km_pipeline_attribute(e->pipeline), s->id, d->name);

		for (uint32_t k = 0; now && k < d->places; k++)
			if (now->place[k].doubt_ns == t_ns && d->place[k].check[0])
				ask(e, s, d->place[k].check);
	}
}
