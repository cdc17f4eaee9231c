// SPDX-License-Identifier: Apache-2.0
#include "base/journal.h"

struct reader {
	void (*cb)(void *userdata, const struct km_journal_record *r);
	void *userdata;
};

static void on_record(void *userdata, const struct km_chain_record *r)
{
	const struct reader *reader = userdata;

	reader->cb(reader->userdata, (const struct km_journal_record *)r);
}

static const char *wrong(const struct km_chain_record *r)
{
	const struct km_journal_record *j = (const void *)r;

	return memchr(j->service, 0, KM_NAME_MAX) && memchr(j->rule, 0, KM_NAME_MAX) &&
	                       memchr(j->detail, 0, KM_NAME_MAX) &&
	                       memchr(j->object, 0, KM_OBJECT_MAX)
	               ? NULL
	               : "a text without end";
}

static struct km_chain_opts options(struct reader *reader)
{
	return (struct km_chain_opts){
		.prefix = "journal",
		.magic = 0x4a444e4b, /* "KNDJ" */
		.version = 1,
		.kinds = KM_J_KIND_MAX,
		.id_kind = KM_J_INTENT,
		.wrong = wrong,
		.cb = reader->cb ? on_record : NULL,
		.userdata = reader,
	};
}

int km_journal_open(int dir_fd, void (*cb)(void *userdata, const struct km_journal_record *r),
                    void *userdata, struct km_chain **ret)
{
	struct reader reader = { cb, userdata };
	struct km_chain_opts o = options(&reader);

	return km_chain_open(dir_fd, &o, ret);
}

int km_journal_add(struct km_chain *j, struct km_journal_record *r)
{
	return km_chain_add(j, (struct km_chain_record *)r);
}

int km_journal_write(struct km_chain *j, struct km_journal_record *r)
{
	return km_chain_write(j, (struct km_chain_record *)r);
}

int km_journal_sync(struct km_chain *j, const struct km_journal_record *r)
{
	return km_chain_sync(j, (const struct km_chain_record *)r);
}

int km_journal_verify(int dir_fd, void (*cb)(void *userdata, const struct km_journal_record *r),
                      void *userdata, struct km_journal_report *ret)
{
	struct reader reader = { cb, userdata };
	struct km_chain_opts o = options(&reader);

	return km_chain_verify(dir_fd, &o, ret);
}
