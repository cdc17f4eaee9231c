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
