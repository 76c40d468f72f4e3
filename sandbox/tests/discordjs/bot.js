// A small bot on discord.js, as its guide writes one. It takes orders: /order answers with two buttons, *Hurry* edits
// that answer, *Note* opens a form. It ends when its standard input does, and fails on anything it did not expect.

import {
  ActionRowBuilder, ButtonBuilder, ButtonStyle, Client, EmbedBuilder, Events, GatewayIntentBits, MessageFlags,
  ModalBuilder, SlashCommandBuilder, TextInputBuilder, TextInputStyle,
} from "discord.js";

const { DISCORD_API, DISCORD_TOKEN, DISCORD_GUILD } = process.env;
const DISHES = ["noodles", "dumplings", "rice"];

const order = new SlashCommandBuilder().setName("order").setDescription("Order something to eat")
  .addStringOption((option) => option.setName("dish").setDescription("What").setRequired(true).setAutocomplete(true))
  .addIntegerOption((option) => option.setName("portions").setDescription("How many").setMinValue(1).setMaxValue(9));

const buttons = () => new ActionRowBuilder().addComponents(
  new ButtonBuilder().setCustomId("hurry").setLabel("Hurry").setStyle(ButtonStyle.Primary),
  new ButtonBuilder().setCustomId("note").setLabel("Note").setStyle(ButtonStyle.Secondary),
);

const form = () => new ModalBuilder().setCustomId("form").setTitle("A note for the kitchen").addComponents(
  new ActionRowBuilder().addComponents(
    new TextInputBuilder().setCustomId("text").setLabel("Note").setStyle(TextInputStyle.Short),
  ),
);

const handlers = {
  async suggest(interaction) {
    const typed = interaction.options.getFocused();
    await interaction.respond(DISHES.filter((dish) => dish.includes(typed)).map((dish) => ({ name: dish, value: dish })));
  },
  async order(interaction) {
    await interaction.deferReply();
    const [dish, portions] = [interaction.options.getString("dish"), interaction.options.getInteger("portions") ?? 1];
    const embed = new EmbedBuilder().setTitle("Ordered").setColor(0x2ea043).addFields(
      { name: "Dish", value: dish, inline: true }, { name: "Portions", value: String(portions), inline: true },
    );
    await interaction.editReply({ embeds: [embed], components: [buttons()] });
    await interaction.followUp({ content: "It takes ten minutes.", flags: MessageFlags.Ephemeral });
  },
  hurry: (interaction) => interaction.update({ content: "It takes five minutes.", components: [] }),
  note: (interaction) => interaction.showModal(form()),
  form: (interaction) => interaction.reply(`Noted: ${interaction.fields.getTextInputValue("text")}`),
};

function handlerOf(interaction) {
  if (interaction.isAutocomplete()) return handlers.suggest;
  return handlers[interaction.isChatInputCommand() ? interaction.commandName : interaction.customId];
}

function fail(error) {
  console.error(error);
  process.exit(1);
}

const client = new Client({ intents: [GatewayIntentBits.Guilds], rest: { api: DISCORD_API } });
client.once(Events.ClientReady, () => client.application.commands.set([order], DISCORD_GUILD).catch(fail));
client.on(Events.InteractionCreate, (interaction) => handlerOf(interaction)(interaction).catch(fail));
client.on(Events.Error, fail);
process.on("warning", fail);
process.stdin.on("end", () => client.destroy()).resume();
await client.login(DISCORD_TOKEN).catch(fail);
