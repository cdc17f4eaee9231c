# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of kmend(8) for bash. tests/unit/kmend/help.c holds it against the command's own help.

_kmend_commands() {
	case $1 in
	'') echo "status pause resume service endpoint signal forecast rule action incident trace replay history bpf audit doctor help" ;;
	service) echo "list show maintain help" ;;
	endpoint) echo "list show help" ;;
	forecast) echo "list show explain forget help" ;;
	signal) echo "list watch help" ;;
	rule) echo "list show stats check explain test backtest diff promote demote sign help" ;;
	action) echo "list show approve deny verify help" ;;
	incident) echo "list show explain help" ;;
	trace) echo "record info help" ;;
	history) echo "import help" ;;
	bpf | audit) echo "list help" ;;
	status | pause | resume | replay | doctor) echo "help" ;;
	esac
}

_kmend_options() {
	case $1 in
	'service list' | 'rule list') echo "--limit --offset" ;;
	'rule explain') echo "--service --policy" ;;
	'rule promote') echo "--why --trace --rules" ;;
	'rule demote') echo "--why --rules" ;;
	'rule check') echo "--host --policy" ;;
	'rule backtest') echo "--trace --since --state --policy --as-written --decisions" ;;
	'rule diff') echo "--trace --since --state --policy --as-written" ;;
	'service show') echo "--samples" ;;
	'signal watch') echo "--for --service" ;;
	'forecast explain') echo "--csv --limit --interval --row" ;;
	'endpoint list') echo "--limit --offset" ;;
	'forecast list') echo "--all --limit --offset" ;;
	'action list' | 'incident list') echo "--service --limit" ;;
	'action verify') echo "--state" ;;
	'incident explain') echo "--replay" ;;
	'trace record') echo "--force" ;;
	'history import') echo "--url --query --since --until --step --token-file --output" ;;
	'audit list') echo "--limit" ;;
	'replay') echo "--rules --csv --interval --limit" ;;
	esac
}

_kmend() {
	local cur=${COMP_WORDS[COMP_CWORD]} word words=() i

	COMPREPLY=()
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	--socket | --rules | --state | --csv | --trace | --policy | --token-file | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	esac
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		[[ $word == --socket ]] && ((i++))
		[[ $word == -* ]] || words+=("$word")
	done
	case ${#words[@]} in
	0) word="$(_kmend_commands '') -j -p --json --pretty --socket --version" ;;
	1) word="$(_kmend_commands "${words[0]}") $(_kmend_options "${words[0]}")" ;;
	*) word="$(_kmend_options "${words[0]} ${words[1]}") $(_kmend_options "${words[0]}")" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$word" -- "$cur")
	case "${words[*]}" in
	replay* | 'rule check'* | 'rule sign'* | 'rule test'* | 'rule backtest'* | 'rule diff'* | 'trace '*)
		[[ $cur == -* ]] || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
		;;
	esac
}

complete -o filenames -F _kmend kmend
