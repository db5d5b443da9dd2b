/** Keeps the page for use without a network, once nothing else is to be done. */
export function keepForLater() {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  const address = new URL('sw.js', document.baseURI);
  setTimeout(() => {
    // Where it is refused (a private window, an old browser, no such file) the page works as before.
    navigator.serviceWorker.register(address).catch(() => {});
  }, 3000);
}
