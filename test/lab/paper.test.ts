// The scenario of the paper: a running Debian at work on A is refused, cancelled, rolled back, and then moves to B, with
// another graphics card and its disk left at A. One booted pair serves all of it, in the order of a bad day.
import './paper/bad-requests.ts';
import './paper/failing-moves.ts';
import './paper/the-move.ts';
import './paper/afterwards.ts';
