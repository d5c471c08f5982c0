// Numbers of the kernel's input layer: linux/input.h, linux/input-event-codes.h, linux/uinput.h. The second half of
// abi.ts, checked by the same test. A key may be a C expression, as for ioctls whose number holds a length.

/** C constants and ioctl request numbers. */
export const INPUT = {
  EV_SYN: 0x00,
  EV_KEY: 0x01,
  EV_REL: 0x02,
  EV_ABS: 0x03,
  EV_LED: 0x11,
  SYN_REPORT: 0,
  SYN_DROPPED: 3,
  KEY_POWER: 116,
  KEY_SLEEP: 142,
  KEY_WAKEUP: 143,
  KEY_SUSPEND: 205,
  BTN_MISC: 0x100,
  BTN_LEFT: 0x110,
  BTN_TASK: 0x117,
  BTN_JOYSTICK: 0x120,
  BTN_GAMEPAD: 0x130,
  BTN_TOOL_FINGER: 0x145,
  BTN_TOUCH: 0x14a,
  KEY_OK: 0x160,
  BTN_DPAD_UP: 0x220,
  BTN_DPAD_RIGHT: 0x223,
  BTN_TRIGGER_HAPPY: 0x2c0,
  KEY_MAX: 0x2ff,
  REL_X: 0,
  REL_Y: 1,
  REL_HWHEEL: 6,
  REL_WHEEL: 8,
  ABS_X: 0,
  ABS_Y: 1,
  LED_MAX: 0x0f,
  LED_NUML: 0,
  LED_CAPSL: 1,
  LED_SCROLLL: 2,
  LED_COMPOSE: 3,
  LED_KANA: 4,
  INPUT_PROP_DIRECT: 1,
  BUS_HOST: 0x19,
  BUS_VIRTUAL: 0x06,
  EVIOCGRAB: 0x40044590,
  'EVIOCGKEY(96)': 0x80604518,
  'EVIOCGABS(0)': 0x80184540,
  UI_DEV_CREATE: 0x5501,
  UI_DEV_SETUP: 0x405c5503,
  UI_SET_EVBIT: 0x40045564,
  UI_SET_KEYBIT: 0x40045565,
  UI_SET_RELBIT: 0x40045566,
  UI_SET_LEDBIT: 0x40045569,
  'UI_GET_SYSNAME(64)': 0x8040552c,
  UINPUT_MAX_NAME_SIZE: 80,
} as const;

/** `sizeof`, bytes. */
export const INPUT_SIZE = {
  'struct input_event': 24,
  'struct input_absinfo': 24,
  'struct uinput_setup': 92,
} as const;

/** `offsetof`, bytes. */
export const INPUT_OFFSET = {
  'struct input_event': { type: 16, code: 18, value: 20 },
  'struct input_absinfo': { value: 0, minimum: 4, maximum: 8 },
  'struct uinput_setup': { 'id.bustype': 0, 'id.vendor': 2, 'id.product': 4, 'id.version': 6, name: 8 },
} as const;
