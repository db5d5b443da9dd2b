import '../figures/requests.js';

export const figures = { requests: 'fb-requests' };
