export function report(): void {}
