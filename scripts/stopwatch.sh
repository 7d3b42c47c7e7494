# What a step took, as a row for the end of the output. Sourced by .ci/run and by scripts/test.
# shellcheck shell=bash

readonly ROW='%7s %7s %7s  %s\n'

# Hundredths of seconds since the machine started, of all processors together: idle, and at work for programs of a low priority.
processor_time() {
    local low idle waiting
    read -r _ _ low _ idle waiting _ </proc/stat
    echo "$((idle + waiting)) $low"
}

start_stopwatch() {
    read -r idle_before low_before <<<"$(processor_time)"
    SECONDS=0
}

# Prints the row of what ran since then.
row() {
    local idle low
    read -r idle low <<<"$(processor_time)"
    # shellcheck disable=SC2059 # it is a constant
    printf "$ROW" "$SECONDS" "$(((idle - idle_before) / 100))" "$(((low - low_before) / 100))" "$1"
}

# A row without the time of processors, for what ran beside something else: its seconds, its name.
row_beside() {
    # shellcheck disable=SC2059 # it is a constant
    printf "$ROW" "$1" - - "$2"
}
