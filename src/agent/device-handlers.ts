// The messages about single devices go to whoever has the device: what was left here, or what is lent from here.
import type { DeviceMessage, DeviceRequest } from '#devices/service.ts';
import type { ControlRequest } from '#wire/control.ts';
import type { ControlHandlers } from './control-server.ts';
import type { DevicesLeft } from './left-behind.ts';
import type { LentDevices } from './lent-devices.ts';

/** `heard` is given every answer to an OS that uses what it left here. */
export function deviceHandlers(
  left: DevicesLeft | undefined,
  lent: LentDevices,
  heard: () => void = () => {},
): ControlHandlers {
  const handler =
    <T extends DeviceMessage>(type: T) =>
    async (request: ControlRequest<T> & DeviceRequest, asker: string) => {
      if (!left?.messages.has(type) || (lent.messages.has(type) && !left.has(request.device)))
        return lent.answer(type, request, asker);
      const answer = await left.answer(type, request);
      heard();
      return answer;
    };
  const types = new Set([...(left?.messages ?? []), ...lent.messages]);
  return Object.fromEntries([...types].map(type => [type, handler(type)]));
}
