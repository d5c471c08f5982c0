// The input class: one keyboard and one pointer the OS keeps for ever (uinput), fed by the real ones of the computer it is
// on (ways 1 and 2) or by those of another computer that lends them (way 3).
import { existsSync, writeFileSync } from 'node:fs';
import type { DeviceStatusRow } from '#core/device-status-table.ts';
import { listInputDevices } from '#linux/input-devices.ts';
import { type Arrival, type Device, type DevicePlans, rememberedType } from '../device.ts';
import { type InputDriver, LocalInput } from './driver.ts';
import { lenderAt, RemoteInput } from './remote.ts';
import { actualType, type InputState, inputItems, inputWay, typeNameOf } from './state.ts';
import { InputStub } from './stub.ts';

/** Left by an agent that made stubs: they ended with it. */
const tracePath = '/run/yado/input';

export class InputDevices implements Device {
  readonly id = 'input0';
  readonly isMadeHere = true;
  #osType: string | undefined;
  #stub: InputStub | undefined;
  #driver: InputDriver | undefined;

  constructor(remembered?: unknown) {
    this.#osType = rememberedType(remembered);
  }

  memory(): object {
    return { typeName: this.#typeName() };
  }

  describe(elsewhere: string | undefined): DeviceStatusRow {
    const state = this.#state(elsewhere);
    const osType = this.#typeName();
    return {
      device: this.id,
      class: 'input',
      osType,
      actualType: actualType(state),
      way: inputWay(osType, state),
      items: inputItems(state),
    };
  }

  pciAddress(): undefined {
    return undefined;
  }

  plans(): DevicePlans {
    return {};
  }

  leaveBehind(): undefined {
    return undefined;
  }

  /** Until the OS is frozen the kernel itself reads the real devices again: nothing that is typed gets lost. */
  async hold(): Promise<void> {
    await this.#stop();
  }

  async restore(arrival: Arrival): Promise<void> {
    await this.#stop();
    this.#stub ??= this.#makeStub(arrival);
    const stub = this.#stub;
    if (!stub) return;
    const { route, gone } = arrival;
    const say = (text: string): void => arrival.say(`${this.id}: ${text}`);
    const driver = route<InputDriver>({
      here: () => new LocalInput(stub, say),
      there: ({ peer, device, epoch }) => new RemoteInput(lenderAt(peer), { device, epoch, gone }, stub, say),
    });
    this.#driver = driver;
    driver.setLights(stub.lights);
    stub.onLights = lights => driver.setLights(lights);
  }

  /** What the OS was started with: fixed by the first look that finds something. */
  #typeName(): string {
    if (this.#osType !== undefined) return this.#osType;
    const devices = listInputDevices();
    if (devices.length > 0) this.#osType = typeNameOf(devices);
    return typeNameOf(devices);
  }

  #state(elsewhere: string | undefined): InputState {
    const [stub, driver] = [this.#stub, this.#driver];
    return {
      // Without our driver the OS has the real devices itself.
      names: driver ? driver.names : listInputDevices().map(each => each.name),
      converts: driver?.converts ?? false,
      lender: driver && elsewhere,
      lights: stub?.lights ?? 0,
      keysHeld: stub?.keysHeld ?? [],
      eventsPassed: stub?.eventsPassed ?? 0,
      stubs: stub?.paths ?? [],
    };
  }

  #makeStub({ say }: Arrival): InputStub | undefined {
    this.#typeName();
    const isAnew = existsSync(tracePath);
    try {
      const stub = new InputStub();
      const paths = stub.paths.join(' and ');
      writeFileSync(tracePath, paths);
      say(`${this.id}: programs use ${paths}`);
      if (isAnew) say(`${this.id}: programs that had the devices of the former agent open must open these`);
      return stub;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      say(`${this.id}: no uinput, the OS uses the real devices itself: ${reason}`);
      return undefined;
    }
  }

  async #stop(): Promise<void> {
    const driver = this.#driver;
    this.#driver = undefined;
    if (this.#stub) this.#stub.onLights = undefined;
    await driver?.release();
  }
}
