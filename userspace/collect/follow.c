// SPDX-License-Identifier: Apache-2.0
/* Addresses that the kernel side tells of at once: those of the endpoints in the configuration. */
#include <arpa/inet.h>
#include <bpf/bpf.h>

#include "base/peer.h"
#include "collect/internal.h"

static struct kmend_peer_key key_of(const struct kmend_address *a)
{
	struct kmend_peer_key key = { .port = ntohs((uint16_t)a->port) };

	if (km_peer_is_v4(a)) {
		key.family = AF_INET;
		memcpy(key.addr, &a->addr[3], sizeof(a->addr[3]));
	} else {
		key.family = AF_INET6;
		memcpy(key.addr, a->addr, sizeof(a->addr));
	}
	return key;
}

static void clear(int fd)
{
	struct kmend_peer_key key;

	for (int i = 0; i < KMEND_FOLLOWED_MAX && bpf_map_get_next_key(fd, NULL, &key) == 0; i++)
		bpf_map_delete_elem(fd, &key);
}

/* Where there is no room they are told of with the passes, as all others. */
static void follow(int fd, const struct km_service_def *def)
{
	uint32_t one = 1;

	for (size_t i = 0; i < def->endpoint_count; i++)
		for (uint32_t k = 0; k < def->endpoints[i].places; k++) {
			struct kmend_peer_key key = key_of(&def->endpoints[i].place[k].address);

			bpf_map_update_elem(fd, &key, &one, BPF_ANY);
		}
}

void km_collect_follow(struct km_collect *c, const struct km_config *config)
{
	int fd = c->bpf.maps[KM_MAP_FOLLOWED];

	if (fd < 0)
		return;
	clear(fd);
	for (size_t i = 0; config && i < config->service_count; i++)
		follow(fd, &config->services[i]);
}
