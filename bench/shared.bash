# What the scripts in bench/ have in common. Sourced by them with `root` set; they set `all_parts` and `rounds`, and
# define `clean_up` and `measure_round`.
# shellcheck shell=bash disable=SC2034,SC2154

bench=$root/bench
out=$root/target/bench
target=${CARGO_TARGET_DIR:-$root/target}
load=$target/release/usersync-load
cluster=       # the directory of the throwaway cluster

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf 'bench: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }
need() { command -v "$1" >/dev/null || die "$1 is needed"; }

wants() { case " ${parts[*]} " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

choose_parts() {
  parts=("$@")
  if [ $# = 0 ]; then parts=("${all_parts[@]}"); fi
  local part
  for part in "${parts[@]}"; do
    case " ${all_parts[*]} " in *" $part "*) ;; *) die "unknown part $part; parts are: ${all_parts[*]}" ;; esac
  done
}

# --- The database ---------------------------------------------------------------------------------------------------

# Sets `url`: that of BENCH_DATABASE_URL, or of a throwaway cluster in the directory $1.
start_database() {
  if [ -n "${BENCH_DATABASE_URL:-}" ]; then
    url=$BENCH_DATABASE_URL
  else
    cluster=$1
    url=$("$root/scripts/postgres" start "$cluster")
  fi
}

destroy_database() {
  if [ -n "$cluster" ]; then "$root/scripts/postgres" destroy "$cluster" || true; fi
}

sql_file() { psql "$url" --no-psqlrc --quiet --set ON_ERROR_STOP=1 --file="$@"; }
sql() { psql "$url" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --command "$1"; }

# Makes the schema $1 anew, with the empty tables, indexes and constraints that the service's own schema has.
make_tables() {
  local migration
  sql "drop schema if exists $1 cascade" 2>/dev/null
  sql "create schema $1"
  for migration in "$root"/migrations/postgres/*/up.sql; do
    PGOPTIONS="-c search_path=$1" sql_file "$migration"
  done
}

# --- Recording ------------------------------------------------------------------------------------------------------

# Appends a JSON object to the results: what is known here, then the members of the object in $2.
record() { printf '{%s,%s\n' "$1" "${2#\{}" >>"$results"; }

# Opens the results of a run of the script $1.
open_results() {
  results=$out/$1-$(date -u +%Y%m%d-%H%M%S).jsonl
  local processor
  processor=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo 2>/dev/null | head -n 1 | tr -cd '[:alnum:] ().,@+-')
  printf '{"measure":"machine","date":"%s","cores":%s,"processor":"%s","postgresql":"%s","node":"%s"}\n' \
    "$(date -u +%Y-%m-%d)" "$(nproc)" "${processor:-unknown}" "$(sql 'show server_version' | tr -cd '[:alnum:] ().,@+-')" \
    "$(node --version)" >>"$results"
}

# The number behind a name in a JSON line.
member() { sed -n "s/.*\"$2\":\([0-9.]*\).*/\1/p" <<<"$1"; }

measure_rounds() {
  local round
  for ((round = 1; round <= rounds; round++)); do measure_round "$round"; done
}

print_results() {
  say "results are in $results"
  node "$bench/report.mjs" "$results"
}
