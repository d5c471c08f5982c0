# The lab's root command channel: reads commands from the second serial port, runs each once, answers there.
# It goes with the OS when the OS moves: same process, the next computer's port. Plain busybox sh, no disk.
#   host: "H"                        -> "h <boot id>"
#   host: "X <boot> <id> <ack> <length> <base64>"  run once -> "a <id>" ; "s <id>" when <boot> is not ours
#   host: "Q <id>"                   -> result, "w <id>" still running, "u <id>" never seen
#   result: "r <id> <n> <base64>" lines, then "e <id> <code> <lines> <md5>"
D=${1:-/run/lab}; B=${2:-busybox}; mkdir -p "$D"
read -r BOOT </proc/sys/kernel/random/boot_id
exec <>/dev/ttyS1 >&0
$B stty raw -echo clocal -hupcl -crtscts 115200
result() {
  $B base64 -w 900 "$D/$1/o" | $B awk -v i="$1" '{print "r", i, NR-1, $0; fflush()}'
  n=$($B base64 -w 900 "$D/$1/o" | $B wc -l); m=$($B md5sum <"$D/$1/o"); read -r c <"$D/$1/c"
  echo "e $1 $c $n ${m%% *}"
}
while :; do
  read -r k a b c d e || { $B sleep 1; continue; }
  case "$k" in
  H) echo "h $BOOT";;
  Q) if [ -e "$D/$a/c" ]; then result "$a"; elif [ -d "$D/$a" ]; then echo "w $a"; else echo "u $a"; fi;;
  X)
    if [ "$a" != "$BOOT" ]; then echo "s $b"; continue; fi
    if [ "${#e}" != "$d" ]; then continue; fi
    case "$b$c" in *[!a-z0-9-]*) continue;; esac
    [ "$c" = - ] || $B rm -f "$D/$c/o" "$D/$c/s"
    if ! $B mkdir "$D/$b" 2>/dev/null; then echo "w $b"; continue; fi
    echo "$e" | $B base64 -d >"$D/$b/s"; echo "a $b"
    ( /bin/sh "$D/$b/s" </dev/null >"$D/$b/o" 2>&1; echo $? >"$D/$b/t"; $B mv "$D/$b/t" "$D/$b/c"; result "$b" ) &
    ;;
  esac
done
