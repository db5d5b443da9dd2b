/**
 * Fetches what an element needs when it comes near the window, once.
 * @param {Element} element
 * @param {() => Promise<unknown>} bring
 */
export function whenNear(element, bring) {
  const watch = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      // Without a network it may not come; it is asked for again when the element comes near again.
      bring().then(
        () => watch.disconnect(),
        () => {},
      );
    },
    { rootMargin: '200px' },
  );
  watch.observe(element);
}
