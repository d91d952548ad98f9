#!/bin/sh
# Runs examples once against the sandbox of with-sandbox.sh, with nobody at the keyboard.
#
#     sh run-all.sh BUILD [EXAMPLE...]      BUILD is the folder of the compiled examples; without names, all of them
#
# For programs of another machine RUN_WITH names the command that runs them (wine, qemu-aarch64 -L ...), EXE the end of
# their names.
set -eu

build=$1
shift
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

program() {
    name=$1
    shift
    # shellcheck disable=SC2086 # a command with its arguments
    ${RUN_WITH:-} "$build/$name${EXE:-}" "$@"
}

payment_callback() {
    program payment_callback
    echo "== payment_callback, with a price that was changed on the way"
    if program payment_callback 'app_id=524632&transaction_id=3751&service_id=10&uid=104&other_price=1&sig=961a705e28008186d443fe211608184c'; then
        echo "a forged payment was accepted" >&2
        exit 1
    fi
}

# Shows the screen up to a line that matches, which is left in $line.
wait_for() {
    while IFS= read -r line <&4; do
        line=${line%"$(printf '\r')"}
        echo "$line"
        # shellcheck disable=SC2254 # a pattern is meant
        case $line in $1) return ;; esac
    done
    echo "login ended before it printed $1" >&2
    exit 1
}

login() {
    mkfifo "$folder/keyboard" "$folder/screen"
    program login "$folder/tokens.json" <"$folder/keyboard" >"$folder/screen" &
    login=$!
    exec 3>"$folder/keyboard" 4<"$folder/screen"

    wait_for 'http*'
    program browser "$line" >&3
    wait_for 'unread messages:*'
    cp "$folder/tokens.json" "$folder/first.json"

    echo "(the token expires)"
    program browser "$MAILRU_SANDBOX_CONTROL/sandbox/expire" '{}'
    echo >&3
    wait_for 'unread messages:*'
    if cmp -s "$folder/tokens.json" "$folder/first.json"; then
        echo "the new tokens were not stored" >&2
        exit 1
    fi
    exec 3>&-
    wait "$login"
}

[ $# -gt 0 ] || set -- quickstart errors threads event_loop payment_callback login
for example; do
    echo "== $example"
    case $example in
    payment_callback) payment_callback ;;
    login) login ;;
    *) program "$example" ;;
    esac
done
