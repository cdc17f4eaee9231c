/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of `kmend replay --csv`: any exported history through phases 4 and 5. The file is one
 * entity and each numeric column a series of it. */
#ifndef KM_REPLAY_CSV_H
#define KM_REPLAY_CSV_H

#include "cli.h"
#include "csv.h"
#include "predict/anomaly.h"
#include "predict/predict.h"

/* Samples of a column for a plot of KM_PLOT_WIDTH columns, and room for half of them to go. */
#define KM_CSV_KEPT 256

struct km_csv_kept {
	uint64_t seen, step;
	size_t count;
	struct {
		uint64_t t_ns;
		double level;
	} sample[KM_CSV_KEPT];
};

struct km_csv_column {
	char name[KM_NAME_MAX];
	bool used;                /* a series: neither time nor text */
	bool seen;                /* had a number or a text: what it is, is known */
	double limit;             /* < 0: none */
	struct km_series *series; /* owned; only with a limit */
	struct km_csv_kept *kept; /* owned; only to be explained */
	bool over;                /* its level met the limit: was said */
};

/* Odd things in the file that do not stop the replay; said at the end. */
struct km_csv_notes {
	uint64_t duplicates; /* rows of the same time as the one before: the first one counts */
	uint64_t back;       /* rows at which the clock went back: time goes on from there */
	uint64_t back_line;  /* of the first */
	uint64_t infinite;   /* cells, taken as missing */
	uint64_t over;       /* columns whose level met the limit */
};

struct km_csv_run {
	struct km_cli *cli;
	const char *file;
	struct km_csv *csv;
	struct km_csv_column *column;
	size_t columns;
	ssize_t time_column; /* < 0: none, rows are INTERVAL_NS apart */
	uint64_t interval_ns;
	const struct km_word_list *limits;
	struct km_predict *predict;
	struct km_buf *line; /* scratch: one row said */
	double *value;       /* of this row; NaN: missing */
	uint64_t rows, line_no;
	uint64_t first_ns, t_ns;   /* of the first row and this one; never decreases */
	uint64_t step_ns, back_ns; /* usual interval; what was added since the clock went back */
	struct km_anomaly anomaly; /* the columns together */
	struct km_anomaly_metric *metric;           /* owned; one a column */
	const struct km_anomaly_verdict *judgement; /* of this row: ANOMALY's */
	struct km_csv_notes notes;
	uint64_t alarms, forecasts; /* episodes */
	bool in_alarm;
	bool explain;      /* one row, instead of saying each */
	uint64_t last_row; /* the replay ends behind it */
};

/* replay_csv_head.c: names, time column, limits from the first record and the options. Exit code.
 * *RET_DATA: the first record is data as well, there is no header. */
int km_csv_head(struct km_csv_run *run, const struct km_csv_record *first, bool *ret_data);

/* replay_csv_said.c */
int km_csv_say_row(struct km_csv_run *run); /* 0 or negative errno */
void km_csv_say_end(struct km_csv_run *run);
/* Of column I, in force and brought to now; NULL: none. */
const struct km_forecast *km_csv_forecast(const struct km_csv_run *run, size_t i);

/* replay_csv_explain.c */
int km_csv_keep_row(struct km_csv_run *run); /* 0 or -ENOMEM */
int km_csv_explain(struct km_csv_run *run);  /* exit code */

/* kmend replay --csv FILE ..., and kmend forecast explain --csv FILE ... Exit codes. */
int km_cmd_replay_csv(struct km_cli *cli, int argc, char **argv);
int km_cmd_explain_csv(struct km_cli *cli, int argc, char **argv);

#endif
