/**
 * Fetches what an element needs when it comes near the window, once.
 * @param {Element} element
 * @param {() => Promise<unknown>} fetch
 */
export function whenNear(element, fetch) {
  const watch = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      // Without a network it may not come; it is asked for again when the element comes near again.
      fetch().then(
        () => watch.disconnect(),
        () => {},
      );
    },
    { rootMargin: '200px' },
  );
  watch.observe(element);
}
