// Reads a stream of server-sent events (WHATWG HTML, section 9.2): text in any pieces in, events out. Pure; a piece may
// end anywhere, even within a line.

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

export interface EventReader {
  /** The events that `text` completes. */
  push(text: string): ServerEvent[];
}

export function newEventReader(): EventReader {
  let rest = '';
  let event = '';
  let data: string[] = [];

  const line = (text: string): ServerEvent | undefined => {
    if (text === '') {
      const complete = data.length > 0 ? { event: event || 'message', data: data.join('\n') } : undefined;
      event = '';
      data = [];
      return complete;
    }
    const colon = text.indexOf(':');
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') event = value;
    else if (field === 'data') data.push(value);
    return undefined;
  };

  return {
    push(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      return lines.map(each => line(each.replace(/\r$/, ''))).filter(each => each !== undefined);
    },
  };
}
