/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's side of the clients: answers and streams are written without ever blocking, and a
 * reader that is too slow is cut off with an ERROR frame rather than kept in memory. */
#ifndef KM_CLIENT_H
#define KM_CLIENT_H

#include "loop/loop.h"
#include "report/control.h"

/* What may wait for one client: signals are worth a second of patience, an answer or the start of a
 * trace is sent whole. */
#define KM_CLIENT_ITEMS_MAX (1024 * 1024)
#define KM_CLIENT_BYTES_MAX (KM_CONTROL_BODY_MAX + 4096)
/* ... and for all clients together: what the engine may grow by. */
#define KM_CLIENTS_BYTES_MAX (2 * KM_CLIENT_BYTES_MAX)
/* A client that takes nothing for so long is closed. */
#define KM_CLIENT_PATIENCE_NS (10 * KM_NS_PER_S)

struct km_clients;

/* LOOP must outlive the set. *RET is the caller's. */
int km_clients_new(struct km_loop *loop, struct km_clients **ret);
struct km_clients *km_clients_free(struct km_clients *cs);
KM_DEFINE_FREEP(struct km_clients, km_clients_free)

/* Takes over FD in any case. *RET_ID names the client and is never used again for another.
 * -EMFILE: KM_CONTROL_CLIENTS_MAX are there (the client is told). */
int km_clients_add(struct km_clients *cs, int fd, uint64_t *ret_id);
/* Queues a frame; END and ERROR also close the client once they are sent. -ENOENT: it has gone or
 * was closed; -ENOBUFS: too slow, it was cut off just now. */
int km_clients_frame(struct km_clients *cs, uint64_t id, enum km_frame kind, const void *body,
                     size_t len);
/* The client is there and may be sent more. A client that hangs up is noticed in the loop. */
bool km_clients_alive(const struct km_clients *cs, uint64_t id);
size_t km_clients_count(const struct km_clients *cs);
/* Closes it at once. */
void km_clients_drop(struct km_clients *cs, uint64_t id);

/* Who is at the other end of FD: SO_PEERCRED and SO_PEERGROUPS. READER_GID: the group that may
 * read. */
int km_peer_read(int fd, uint32_t reader_gid, struct km_peer *ret);

#endif
