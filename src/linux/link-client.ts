// What the managers call to see and change links, addresses and routes of this computer.
// Synchronous (netlink-socket.ts says why); all decisions are the caller's.
import { C } from '#linux/abi.ts';
import { NetlinkSocket } from '#linux/netlink-socket.ts';
import {
  type Address,
  decodeAddress,
  decodeLink,
  decodeRoute,
  encodeAddressAdd,
  encodeAddressDelete,
  encodeBridgeCreate,
  encodeDump,
  encodeLinkChange,
  encodeLinkDelete,
  encodeRouteAdd,
  encodeRouteDelete,
  type Link,
  type LinkChange,
  type Route,
} from '#linux/rtnetlink.ts';

/** One rtnetlink socket. Every method throws SystemError with the kernel's errno and explanation. */
export class LinkClient implements Disposable {
  readonly #netlink = new NetlinkSocket(C.NETLINK_ROUTE);

  links(): Link[] {
    return this.#netlink.dump(encodeDump('links'), 'list links').map(decodeLink);
  }

  /** The link of that name, or undefined. */
  link(name: string): Link | undefined {
    return this.links().find(link => link.name === name);
  }

  addresses(): Address[] {
    return this.#netlink.dump(encodeDump('addresses'), 'list addresses').map(decodeAddress);
  }

  routes(): Route[] {
    const messages = this.#netlink.dump(encodeDump('routes'), 'list routes');
    return messages.map(decodeRoute).filter(route => route !== undefined);
  }

  changeLink(index: number, change: LinkChange): void {
    this.#netlink.request(encodeLinkChange(index, change), `change link ${index}`);
  }

  createBridge(name: string, mac: string): void {
    this.#netlink.request(encodeBridgeCreate(name, mac), `create bridge ${name}`);
  }

  deleteLink(index: number): void {
    this.#netlink.request(encodeLinkDelete(index), `delete link ${index}`);
  }

  addAddress(address: Address): void {
    this.#netlink.request(encodeAddressAdd(address), `add address ${address.ip}/${address.prefixLength}`);
  }

  deleteAddress(address: Address): void {
    this.#netlink.request(
      encodeAddressDelete(address),
      `delete address ${address.ip}/${address.prefixLength}`,
    );
  }

  addRoute(route: Route): void {
    this.#netlink.request(encodeRouteAdd(route), `add route to ${route.destination ?? 'default'}`);
  }

  deleteRoute(route: Route): void {
    this.#netlink.request(encodeRouteDelete(route), `delete route to ${route.destination ?? 'default'}`);
  }

  [Symbol.dispose](): void {
    this.#netlink[Symbol.dispose]();
  }
}
