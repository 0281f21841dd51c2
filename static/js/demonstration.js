import { startPlayer } from "./player-view.js";

const page = document.getElementById("demonstration");
startPlayer(page.querySelector("[data-timeline]"), page, document.querySelector("script[nonce]").nonce);
